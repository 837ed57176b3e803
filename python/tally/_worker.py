"""A worker process as the executor sees it."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from multiprocessing import context, reduction, spawn
from typing import Callable, List, Optional, Sequence, Tuple

from . import _frames
from ._calls import Call
from ._serve import PassedFd


class Worker:
    """A process, from when it was asked for until it is known to have ended. It can be used as one of multiprocessing's."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.connection: Optional[socket.socket] = None
        self.splitter = _frames.Splitter()
        self.ready = False
        #: How wide the door was, by ``Door.widened``, when it was told where that is.
        self.told = 0
        self.call: Optional[Call] = None
        #: The call was sent: if the process dies now, it dies of it.
        self.sent = False
        #: What was sent last has not all been read, and will not be: the process has ended.
        self.unread = False
        #: Why it could not begin, in its own words.
        self.reason: Optional[str] = None
        self.calls = 0
        self.unsent: List[memoryview] = []
        self.tracked = False
        self.leaving = False
        self._pid: Optional[int] = None
        self.known = threading.Event()
        self.gone = threading.Event()

    def send(self, epoll: select.epoll, kind: bytes, body: bytes, fds: Sequence[int]) -> None:
        """Sends as much as there is room for; the rest when ``epoll`` says so."""
        assert self.connection is not None
        pieces = [memoryview(piece) for piece in _frames.frame(kind, body)]
        if self.unsent:
            self.unsent += pieces
            return
        try:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []
            count = self.connection.sendmsg(pieces, rights)
        except BlockingIOError:
            count = 0
        except OSError:
            # It has ended: whoever reads finds out.
            self.unread = True
            return
        self.unsent = after(pieces, count)
        if self.unsent:
            epoll.modify(self.connection, select.EPOLLIN | select.EPOLLOUT)

    def send_rest(self, epoll: select.epoll) -> None:
        """Sends more of what there was no room for."""
        if self.connection is None:
            return
        try:
            self.unsent = after(self.unsent, self.connection.sendmsg(self.unsent))
        except BlockingIOError:
            return
        except OSError:
            self.unread, self.unsent = True, []
        if not self.unsent:
            epoll.modify(self.connection, select.EPOLLIN)

    @property
    def pid(self) -> Optional[int]:
        """Its process; waits until that has started."""
        self.known.wait()
        return self._pid

    def is_alive(self) -> bool:
        """Whether it is not known to have ended."""
        return not self.gone.is_set()

    def join(self, timeout: Optional[float] = None) -> None:
        """Waits until it has ended."""
        self.gone.wait(timeout)

    def terminate(self) -> None:
        """Sends it SIGTERM."""
        self._signal(15)

    def kill(self) -> None:
        """Sends it SIGKILL."""
        self._signal(9)

    def _signal(self, signal: int) -> None:
        pid = self.pid
        if pid is not None and self.is_alive():
            os.kill(pid, signal)


def setup(initialize: Tuple[Optional[Callable], tuple], fds: List[int]) -> bytes:
    """What a worker needs to begin; descriptors that belong to it are added to ``fds``.

    Raises where the main module is not done with starting.
    """
    preparation = spawn.get_preparation_data("tally-worker")
    context.set_spawning_popen(_Carrier(fds))  # type: ignore[arg-type]
    try:
        # Two in one: what the second is made of can be imported when the first has been unpacked.
        pickled = bytes(reduction.ForkingPickler.dumps(initialize))
        return bytes(reduction.ForkingPickler.dumps((preparation, pickled)))
    finally:
        context.set_spawning_popen(None)


class _Carrier:
    """Stands for a process that is being started: what travels only with one (locks, queues, pipes) travels beside it."""

    def __init__(self, fds: List[int]) -> None:
        self._fds = fds

    def duplicate_for_child(self, fd: int) -> int:
        self._fds.append(os.dup(fd))
        return len(self._fds) - 1

    DupFd = PassedFd


def after(pieces: List[memoryview], count: int) -> List[memoryview]:
    """What is left of pieces of which so many bytes were sent."""
    rest = []
    for piece in pieces:
        if count >= len(piece):
            count -= len(piece)
        else:
            rest.append(piece[count:])
            count = 0
    return rest
