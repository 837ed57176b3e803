"""A real terminal for the tests: `terminal.py COLUMNS shell SHELL TEXT WANTED` types into a shell until it shows what is
wanted, `terminal.py COLUMNS run PROGRAM...` prints what a program writes to it. Without an answer both end after a minute."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

PATIENCE_S = 60
READY = "READY>"
# Shells without the settings of whoever runs the tests, and with a prompt that can be waited for.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='READ''Y>'; bind 'set bell-style none'; source <(tally completion bash)\n"),
    "zsh": (["zsh", "-f", "-i"], "PS1='READ''Y>'; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source <(tally completion zsh)\n"),
    "fish": (["fish", "--no-config", "-i"], "function fish_prompt; echo -n 'READ''Y>'; end; tally completion fish | source\n"),
}


def start(columns, arguments):
    terminal, inner = pty.openpty()
    # Before anybody asks for it.
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    pid = os.fork()
    if pid == 0:
        os.close(terminal)
        os.setsid()
        fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
        for stream in (0, 1, 2):
            os.dup2(inner, stream)
        if inner > 2:
            os.close(inner)
        os.execvp(arguments[0], arguments)
    os.close(inner)
    return pid, terminal


def read(terminal, seconds):
    """What comes within a time; None at the end."""
    if not select.select([terminal], [], [], seconds)[0]:
        return ""
    try:
        return os.read(terminal, 65536).decode("utf-8", "replace") or None
    except OSError:
        return None


def await_text(terminal, wanted, again=None):
    """Reads until the text is there; sends `again` each second, as a completion gives up when the machine is busy."""
    seen, deadline = "", time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        more = read(terminal, 1.0)
        if more is None:
            break
        seen += more
        if wanted in seen:
            return True, seen
        if not more and again:
            os.write(terminal, again.encode())
    return False, seen


def type_into(columns, shell, text, wanted):
    arguments, setup = SHELLS[shell]
    _, terminal = start(columns, arguments)
    os.write(terminal, setup.encode())
    found, seen = await_text(terminal, READY)
    if found:
        os.write(terminal, (text + "\t").encode())
        found, seen = await_text(terminal, wanted, "\t")
    os.close(terminal)
    if not found:
        print(f"{shell} did not show {wanted!r} but {seen!r}")
    return 0 if found else 1


def run(columns, arguments):
    pid, terminal = start(columns, arguments)
    while (text := read(terminal, PATIENCE_S)):
        sys.stdout.write(text.replace("\r\n", "\n"))
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    columns, what, *rest = sys.argv[1:]
    sys.exit(run(int(columns), rest) if what == "run" else type_into(int(columns), *rest))
