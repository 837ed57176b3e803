"""Where an executor's processes come in: a socket, and those that have connected and not yet said who they are."""

from __future__ import annotations

import os
import secrets
import select
import socket
from typing import Dict, List, Optional, Tuple

from . import _frames
from ._worker import listener, peer

#: Connections that have not said who they are.
STRANGERS_MAX = 64

#: What it is, and what it says.
Frame = Tuple[bytes, _frames.Bytes]
#: The number that a process was given, and how it is reached.
Known = Tuple[int, socket.socket, _frames.Splitter]


class Door:
    """Only processes of this user come in, and of these only those that know the secret. For one thread."""

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self.secret = secrets.token_hex(16)
        self._listener, self.address = listener()
        self._strangers: Dict[int, Tuple[socket.socket, _frames.Splitter]] = {}
        epoll.register(self._listener, select.EPOLLIN)

    def hear(self, fd: int) -> Optional[Known]:
        """Something has come at one of its descriptors. Who it was that said who it is, if it was that."""
        if fd == self._listener.fileno():
            self._accept()
            return None
        return self._meet(fd)

    def holds(self, fd: int) -> bool:
        """Whether a descriptor is one of its own."""
        return fd in self._strangers or fd == self._listener.fileno()

    def hang_up(self, connection: socket.socket) -> None:
        """Whoever it is, nobody waits for it."""
        self._epoll.unregister(connection)
        connection.close()

    def close(self) -> None:
        """Nobody comes in any more."""
        for connection, _ in self._strangers.values():
            connection.close()
        self._listener.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if len(self._strangers) >= STRANGERS_MAX or peer(connection)[1] != os.geteuid():
            connection.close()
            return
        connection.setblocking(False)
        self._strangers[connection.fileno()] = (connection, _frames.Splitter())
        self._epoll.register(connection, select.EPOLLIN)

    def _meet(self, fd: int) -> Optional[Known]:
        connection, splitter = self._strangers[fd]
        frames: Optional[List[Frame]]
        try:
            frames = splitter.receive(connection, _frames.HELLO_BYTES_MAX)
        except BlockingIOError:
            return None
        except (OSError, ValueError):
            frames = None
        if frames == []:
            return None
        del self._strangers[fd]
        number = self._number_in(frames)
        if number is None:
            self.hang_up(connection)
            return None
        return number, connection, splitter

    def _number_in(self, frames: Optional[List[Frame]]) -> Optional[int]:
        if not frames or frames[0][0] != _frames.HELLO:
            return None
        secret, _, number = bytes(frames[0][1]).decode(errors="replace").partition(" ")
        if not secrets.compare_digest(secret.encode(), self.secret.encode()) or not number.isdigit():
            return None
        return int(number)
