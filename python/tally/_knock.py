"""A worker's way to its executor: the addresses it was told, in order, until one is that of who knows the secret.

Whoever else listens at one of them is told nothing, and nothing of what it says is looked at: a name may have been taken
by somebody else meanwhile, and in another network namespace the same name may be anybody's.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import List, Optional, Sequence

from . import _frames, _proof

#: Seconds without a word from whoever listens, until that is taken for nobody.
SILENCE_S_MAX = 60


class Unreachable(Exception):
    """At none of the addresses is the executor."""


def reach(addresses: Sequence[str], secret: bytes, number: int) -> socket.socket:
    """A connection to the executor, both sides proven. Raises ``Unreachable`` with the reasons in one line."""
    reasons: List[str] = []
    for address in addresses:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _meet(connection, address, secret, number)
            return connection
        except (OSError, ValueError) as why:
            connection.close()
            reason = getattr(why, "strerror", None) or str(why)
            reasons.append(f"{shown(address)} ({reason.lower()})")
    raise Unreachable(", ".join(reasons) or "there is no address")


def shown(address: str) -> str:
    """An address as one writes it: abstract ones with an ``@``."""
    return address.replace("\0", "@", 1)


def _connect(connection: socket.socket, address: str) -> None:
    """Connects to an abstract address, or to a path however long that is."""
    if address.startswith("\0") or len(os.fsencode(address)) < 100:
        connection.connect(address)
        return
    directory = os.open(os.path.dirname(address), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{directory}/{os.path.basename(address)}")
    finally:
        os.close(directory)


def _meet(connection: socket.socket, address: str, secret: bytes, number: int) -> None:
    _wait_at_most(connection, SILENCE_S_MAX)
    _connect(connection, address)
    uid = _proof.peer(connection)[1]
    if uid != os.geteuid():
        raise PermissionError(0, f"it is user {uid} who listens there")
    mine = _proof.drawn()
    _frames.send(connection, _frames.HELLO, _proof.NUMBER.pack(number) + mine)
    kind, length = _frames.HEADER.unpack(_exactly(connection, _frames.HEADER.size))
    if kind != _frames.CHALLENGE or length != _proof.CHALLENGE_BYTES:
        raise ValueError("what listens there is no executor")
    challenge = _exactly(connection, _proof.CHALLENGE_BYTES)
    theirs, shown_proof = challenge[: _proof.NONCE_BYTES], challenge[_proof.NONCE_BYTES :]
    if not _proof.holds(shown_proof, secret, _proof.EXECUTOR, number, mine, theirs):
        raise ValueError("what listens there does not know the secret")
    _frames.send(connection, _frames.PROOF, _proof.proof(secret, _proof.WORKER, number, mine, theirs))
    _wait_at_most(connection, None)


def _exactly(connection: socket.socket, count: int) -> bytes:
    """So many bytes and none more: descriptors may come with the next. Those that come with these are not taken."""
    data = b""
    while len(data) < count:
        some = connection.recv(count - len(data))
        if not some:
            raise ValueError("it hung up")
        data += some
    return data


def _wait_at_most(connection: socket.socket, seconds: Optional[int]) -> None:
    # Not settimeout: a listener that is busy would be an error with it, and not waited for.
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds or 0, 0))
