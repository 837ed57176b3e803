"""What an executor and its workers say to each other: a letter, a length, bytes.

Calls and results go straight between the two processes, over a socket of the executor's user; neither unpickles anything
of who has not proven that it knows the executor's secret (``_proof``).
"""

from __future__ import annotations

import copyreg
import io
import pickle
import socket
import struct
from collections import ChainMap
from multiprocessing.reduction import ForkingPickler
from typing import Any, Iterator, List, Optional, Tuple, Union

HEADER = struct.Struct("<cQ")

# Before anything else: a worker's number, the executor's proof and question, the worker's proof.
HELLO, CHALLENGE, PROOF = b"H", b"N", b"V"
# From a worker: that it is ready; that it could not become so, at all or for its initializer; a result, an exception, a
# call that it could not read.
READY, UNPREPARED, UNINITIALIZED = b"P", b"X", b"I"
RESULT, RAISED, UNREAD = b"R", b"E", b"U"
# To a worker: what it needs to begin; a call; the descriptor of the resource tracker; that it may end.
SETUP, CALL, TRACKER, QUIT = b"S", b"C", b"T", b"Q"

#: A frame that is longer is received in its place, without another copy.
LARGE_BYTES = 64 << 10
#: Bytes of a hello, which anybody might send.
HELLO_BYTES_MAX = 256

Bytes = Union[bytes, bytearray, memoryview]


class _Pickler(pickle.Pickler):
    """What ``multiprocessing`` can pass between processes (connections, sockets), at the speed of plain pickling."""

    dispatch_table = ChainMap(ForkingPickler._extra_reducers, copyreg.dispatch_table)  # type: ignore


def dumps(value: Any) -> bytes:
    """Pickles as ``multiprocessing`` does."""
    out = io.BytesIO()
    _Pickler(out, pickle.HIGHEST_PROTOCOL).dump(value)
    return out.getvalue()


loads = pickle.loads


class Splitter:
    """Bytes of a stream in, whole frames out."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._kind = b""
        self._large: Optional[bytearray] = None
        self._filled = 0

    def receive(
        self, connection: socket.socket, bytes_max: Optional[int] = None
    ) -> Optional[List[Tuple[bytes, Bytes]]]:
        """Reads once, and gives the frames that are whole now. ``None`` at the end of the stream."""
        if self._large is not None:
            count = connection.recv_into(memoryview(self._large)[self._filled :])
            if not count:
                return None
            self._filled += count
            if self._filled < len(self._large):
                return []
            whole, self._large = self._large, None
            return [(self._kind, whole)]
        data = connection.recv(LARGE_BYTES)
        if not data:
            return None
        self._held += data
        return list(self._frames(bytes_max))

    def _frames(self, bytes_max: Optional[int]) -> Iterator[Tuple[bytes, Bytes]]:
        held = self._held
        while len(held) >= HEADER.size:
            kind, length = HEADER.unpack_from(held)
            if bytes_max is not None and length > bytes_max:
                raise ValueError("a frame is too long")
            end = HEADER.size + length
            if len(held) >= end:
                body = bytes(held[HEADER.size : end])
                del held[:end]
                yield kind, body
            elif length > LARGE_BYTES:
                self._kind, self._filled = kind, len(held) - HEADER.size
                self._large = bytearray(length)
                self._large[: self._filled] = held[HEADER.size :]
                held.clear()
            else:
                return


def frame(kind: bytes, body: Bytes = b"") -> List[Bytes]:
    """The pieces of a frame, for one ``sendmsg``."""
    return [HEADER.pack(kind, len(body)), body]


def send(connection: socket.socket, kind: bytes, body: Bytes = b"") -> None:
    """Sends a frame over a blocking connection."""
    header = HEADER.pack(kind, len(body))
    if len(body) < LARGE_BYTES:
        connection.sendall(header + body)
    else:
        connection.sendall(header)
        connection.sendall(body)
