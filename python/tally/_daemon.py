"""A daemon of one's own, for as long as a block or a program lasts."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import weakref
from typing import Any, Iterable, List, Optional

from . import _binary, _place
from ._client import Client
from ._errors import SystemFailure

#: Seconds a daemon may take to listen, on a machine that is busy.
START_S_MAX = 60.0
#: Seconds it may take to end once it was told to, before it is killed.
END_S_MAX = 20.0


_alive: "weakref.WeakSet[Daemon]" = weakref.WeakSet()


#: In a forked child: kept, so that nobody complains that they were not waited for.
_of_parent: List[subprocess.Popen] = []


def _forget_in_child() -> None:
    for daemon in list(_alive):
        daemon.forget()


os.register_at_fork(after_in_child=_forget_in_child)


class Daemon:
    """``with tally.Daemon(workers=4) as daemon: client = daemon.connect()``.

    It runs the program ``tally`` (``TALLY_BINARY``, the one beside this package, the one on ``PATH``) and ends with the
    block, and with this process however that ends. ``state_dir`` is where detached jobs and persistent objects are kept,
    nowhere by default; ``options`` are more words for ``tally daemon``.
    """

    def __init__(
        self,
        workers: Optional[int] = None,
        *,
        socket: Optional[_place.Path] = None,
        state_dir: Optional[_place.Path] = None,
        options: Iterable[str] = (),
    ) -> None:
        _alive.add(self)
        self._directory: Optional[str] = None
        self._process: Optional[subprocess.Popen] = None
        self._ending = threading.Lock()
        if socket is None:
            # Short enough for the address of a socket, and nobody else's.
            self._directory = tempfile.mkdtemp(prefix="tally-")
            socket = os.path.join(self._directory, "tally.sock")
            # It removes that, too, should this process be killed.
            options = ["--remove-directory", *options]
        #: Its control socket.
        self.socket: str = os.fspath(socket)
        words = ["daemon", "--foreground", "--until-eof", "--socket", self.socket]
        words += ["--state-dir", os.fspath(state_dir) if state_dir is not None else "none"]
        if workers is not None:
            words += ["--workers", str(workers)]
        try:
            self._start([_binary.find(), *words, *map(str, options)])
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def connect(self) -> Client:
        """A client of it."""
        return Client(self.socket)

    def stop(self) -> None:
        """Ends it, with its jobs and workers."""
        with self._ending:
            process, self._process = self._process, None
            directory, self._directory = self._directory, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    def forget(self) -> None:
        """In a forked child: the daemon is the parent's, and must not live on with a copy of what it lives by."""
        process, self._process, self._directory = self._process, None, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            _of_parent.append(process)

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def _start(self, command: List[str]) -> None:
        """Starts it and waits until it listens. Its standard input is what it lives by: it ends when that does."""
        with tempfile.TemporaryFile() as said, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            # Bound by the system to a name of its own choice.
            notices.bind("")
            name = notices.getsockname().decode().replace("\0", "@", 1)
            environment = {key: value for key, value in os.environ.items() if not key.startswith("LISTEN_")}
            environment["NOTIFY_SOCKET"] = name
            environment.pop("WATCHDOG_USEC", None)
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, env=environment
                )
            except OSError as why:
                raise SystemFailure(f"could not start {command[0]}: {why.strerror}") from why
            if not self._listens(notices):
                said.seek(0)
                reason = said.read().decode(errors="replace").strip() or "it does not listen"
                raise SystemFailure(f"could not start a daemon: {reason}")

    def _listens(self, notices: socket.socket) -> bool:
        assert self._process is not None
        waited = 0.0
        while waited < START_S_MAX:
            # Short, to notice its end.
            ready, _, _ = select.select([notices], [], [], 0.05)
            if ready:
                if b"READY=1" in notices.recv(4096).split(b"\n"):
                    return True
            elif self._process.poll() is not None:
                return False
            else:
                waited += 0.05
        return False
