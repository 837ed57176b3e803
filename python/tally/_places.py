"""Where an executor can be reached by its workers, which the daemon may start in namespaces of its own.

| address | its workers reach it | what is left when the program is killed |
|---|---|---|
| an abstract name | in the same network namespace | nothing |
| a socket whose file is gone, by a descriptor of this process in ``/proc`` | wherever ``/proc`` shows this process, unless it has capabilities that they lack: those of root have none | nothing |
| a file in a directory of mode 0700 | where that directory is seen: which one, they find out | the directory, until the next such executor |

So the first two are offered, and files only after a worker has said that it reaches neither.
"""

from __future__ import annotations

import contextlib
import glob
import os
import socket
import stat
import tempfile
from typing import Callable, List, Optional

#: Processes that connect at the same time.
BACKLOG = 128
#: How directories with a socket begin.
PREFIX = ".tally-executor-"
#: A socket's file in its directory, and how it is called until it listens.
FILE, NEW = "executor", "new"


class Place:
    """A socket that listens, and its address for workers; a descriptor that belongs to it, and its directory."""

    def __init__(self, listener: socket.socket, address: str, fd: int = -1, directory: Optional[str] = None) -> None:
        self.listener = listener
        self.address = address
        self._fd = fd
        self._directory = directory

    def close(self, *, keep: bool = False) -> None:
        """Nobody is listening any more, unless ``keep``: then only this process, a forked child, is not."""
        self.listener.close()
        fd, self._fd = self._fd, -1
        if self._directory is not None and not keep:
            _remove(fd, self._directory)
        if fd >= 0:
            os.close(fd)


def nameless() -> List[Place]:
    """Those that leave nothing behind."""
    return _those_that_can_be_made([_abstract, _by_descriptor])


def files(socket_of_daemon: str) -> List[Place]:
    """A socket in each directory that a worker might see. Directories of programs that were killed are removed."""
    found: List[Place] = []
    for base in bases(socket_of_daemon):
        _sweep(base)
        found += _those_that_can_be_made([lambda base=base: _in_directory(base)])  # type: ignore[misc]
    return found


def bases(socket_of_daemon: str) -> List[str]:
    """Where directories are made, the best first: the system's for this, then what is seen of homes, then the rest.

    A worker always sees the directory that it is to run in, and hardly ever another ``/tmp`` than its own.
    """
    wanted = [
        os.environ.get("XDG_RUNTIME_DIR", ""),
        f"/run/user/{os.geteuid()}",
        "/run",
        os.path.dirname(os.path.abspath(socket_of_daemon)),
        os.path.expanduser("~"),
        os.getcwd(),
        tempfile.gettempdir(),
        "/var/tmp",
    ]
    found: List[str] = []
    for base in wanted:
        # It is told as a line of text.
        told = os.path.isabs(base) and "\n" not in base and not any("\ud800" <= one <= "\udfff" for one in base)
        if told and os.path.realpath(base) not in found:
            found.append(os.path.realpath(base))
    return found


def _those_that_can_be_made(makers: List[Callable[[], Place]]) -> List[Place]:
    found: List[Place] = []
    for make in makers:
        with contextlib.suppress(OSError):
            found.append(make())
    return found


def _abstract() -> Place:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # A name of the system's choice.
        listener.bind("")
        listener.listen(BACKLOG)
        return Place(listener, "\0" + listener.getsockname()[1:].decode())
    except BaseException:
        listener.close()
        raise


def _by_descriptor() -> Place:
    made = _in_directory(tempfile.gettempdir())
    try:
        fd = os.open(made.address, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        return Place(made.listener.dup(), f"/proc/{os.getpid()}/fd/{fd}", fd)
    finally:
        made.close()


def _in_directory(base: str) -> Place:
    """At a file in a new directory, which only this user can look into."""
    directory = tempfile.mkdtemp(prefix=PREFIX, dir=base)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    held = -1
    try:
        held = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        # By its descriptor: a path may be too long for an address.
        listener.bind(f"/proc/self/fd/{held}/{NEW}")
        listener.listen(BACKLOG)
        # It has its name when it listens: one at which nobody does is that of a program that was killed.
        os.rename(NEW, FILE, src_dir_fd=held, dst_dir_fd=held)
        return Place(listener, os.path.join(directory, FILE), held, directory)
    except BaseException:
        listener.close()
        _remove(held, directory)
        if held >= 0:
            os.close(held)
        raise


def _remove(held: int, directory: str) -> None:
    """Removes a directory and the socket in it, and nothing else that others may have put in their places."""
    if held >= 0:
        for name in (NEW, FILE):
            with contextlib.suppress(OSError):
                if stat.S_ISSOCK(os.stat(name, dir_fd=held, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=held)
    with contextlib.suppress(OSError):
        os.rmdir(directory)


def _sweep(base: str) -> None:
    """Removes directories of programs of this user that were killed."""
    for directory in glob.glob(os.path.join(glob.escape(base), PREFIX + "*")):
        with contextlib.suppress(OSError):
            held = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if os.fstat(held).st_uid == os.geteuid() and _is_dead(held):
                    _remove(held, directory)
            finally:
                os.close(held)


def _is_dead(held: int) -> bool:
    """Whether nobody listens at the socket in a directory."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        # Whoever is too busy to accept is alive.
        asking.setblocking(False)
        try:
            asking.connect(f"/proc/self/fd/{held}/{FILE}")
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
        return False
