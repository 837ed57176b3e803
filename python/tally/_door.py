"""Where an executor's processes come in: sockets, and those that have connected and not yet proven who they are."""

from __future__ import annotations

import os
import secrets
import select
import socket
from typing import Dict, List, Optional, Tuple

from . import _frames, _places, _proof
from ._proof import peer

#: Connections that have not proven who they are.
STRANGERS_MAX = 64

#: What it is, and what it says.
Frame = Tuple[bytes, _frames.Bytes]
#: The number that a process was given, and how it is reached.
Known = Tuple[int, socket.socket, _frames.Splitter]


class _Stranger:
    """A connection, until it has proven who it is: number and proof are what it then has said and must show."""

    def __init__(self, connection: socket.socket, place: _places.Place) -> None:
        self.connection = connection
        self.place = place
        self.splitter = _frames.Splitter()
        self.number: Optional[int] = None
        self.proof = b""


class Door:
    """Only processes of this user come in, and of these only those that know the secret. For one thread."""

    def __init__(self, epoll: select.epoll, socket_of_daemon: str) -> None:
        self._epoll = epoll
        self._socket_of_daemon = socket_of_daemon
        self.secret = secrets.token_bytes(32)
        self._places: Dict[int, _places.Place] = {}
        self._strangers: Dict[int, _Stranger] = {}
        #: How often it has been opened at more places.
        self.widened = 0
        self._open(_places.nameless())

    @property
    def addresses(self) -> List[str]:
        """Where workers that are started now may find it, the best first."""
        return [place.address for place in self._places.values()]

    def widen(self) -> bool:
        """A worker has reached none of the addresses. Whether there are more now."""
        if self.widened:
            return False
        self.widened += 1
        before = len(self._places)
        self._open(_places.files(self._socket_of_daemon))
        return len(self._places) > before

    def hear(self, fd: int) -> Optional[Known]:
        """Something has come at one of its descriptors. Who it was that proved who it is, if it was that."""
        if fd in self._places:
            self._accept(self._places[fd])
            return None
        return self._meet(fd)

    def holds(self, fd: int) -> bool:
        """Whether a descriptor is one of its own."""
        return fd in self._strangers or fd in self._places

    def hang_up(self, connection: socket.socket) -> None:
        """Whoever it is, nobody waits for it."""
        self._epoll.unregister(connection)
        connection.close()

    def close(self, *, keep: bool = False) -> None:
        """Nobody comes in any more; with ``keep`` only not into this process, a forked child."""
        for stranger in self._strangers.values():
            stranger.connection.close()
        for place in self._places.values():
            place.close(keep=keep)
        self._places.clear()

    def _open(self, places: List[_places.Place]) -> None:
        for place in places:
            place.listener.setblocking(False)
            self._places[place.listener.fileno()] = place
            self._epoll.register(place.listener, select.EPOLLIN)

    def _settle(self, kept: _places.Place) -> None:
        """All workers find it where one has found it: no files are kept elsewhere."""
        if not self.widened or len(self._places) == 1:
            return
        for fd, place in list(self._places.items()):
            if place is not kept:
                del self._places[fd]
                self._epoll.unregister(place.listener)
                place.close()

    def _accept(self, place: _places.Place) -> None:
        try:
            connection, _ = place.listener.accept()
        except OSError:
            # It has gone again.
            return
        if len(self._strangers) >= STRANGERS_MAX or peer(connection)[1] != os.geteuid():
            connection.close()
            return
        connection.setblocking(False)
        self._strangers[connection.fileno()] = _Stranger(connection, place)
        self._epoll.register(connection, select.EPOLLIN)

    def _meet(self, fd: int) -> Optional[Known]:
        stranger = self._strangers[fd]
        frames: Optional[List[Frame]]
        try:
            frames = stranger.splitter.receive(stranger.connection, _frames.HELLO_BYTES_MAX)
        except BlockingIOError:
            return None
        except (OSError, ValueError):
            frames = None
        if frames == []:
            return None
        # One word each, then the answer to it.
        if frames is not None and len(frames) == 1:
            kind, body = frames[0]
            if stranger.number is None:
                if kind == _frames.HELLO and self._challenge(stranger, bytes(body)):
                    return None
            elif kind == _frames.PROOF and secrets.compare_digest(bytes(body), stranger.proof):
                del self._strangers[fd]
                self._settle(stranger.place)
                return stranger.number, stranger.connection, stranger.splitter
        del self._strangers[fd]
        self.hang_up(stranger.connection)
        return None

    def _challenge(self, stranger: _Stranger, hello: bytes) -> bool:
        """Proves who this is and asks for the same. False when that cannot be."""
        if len(hello) != _proof.HELLO_BYTES:
            return False
        (number,), theirs = _proof.NUMBER.unpack_from(hello), hello[_proof.NUMBER.size :]
        mine = _proof.drawn()
        shown = _proof.proof(self.secret, _proof.EXECUTOR, number, theirs, mine)
        stranger.number = number
        stranger.proof = _proof.proof(self.secret, _proof.WORKER, number, theirs, mine)
        try:
            # Into a buffer that is empty: it goes as a whole.
            _frames.send(stranger.connection, _frames.CHALLENGE, mine + shown)
        except OSError:
            return False
        return True
