"""How an executor and its workers prove to each other who they are, before either believes a byte of the other.

Both ask the system for the user at the other end. Then each shows that it knows the executor's secret, by an HMAC over a
number that the other has just drawn; the secret itself never goes over the connection. The two proofs differ in who gives
them, so that none can be sent back to whom it came from.

| from | frame | with |
|---|---|---|
| the worker | HELLO | its number, what it has drawn |
| the executor | CHALLENGE | what it has drawn, its proof |
| the worker | PROOF | its proof |
"""

from __future__ import annotations

import hmac
import os
import socket
import struct
from typing import Tuple

#: Bytes of what each side draws, and of a proof.
NONCE_BYTES = PROOF_BYTES = 32
#: A worker's number on the wire.
NUMBER = struct.Struct("<Q")
#: Bytes of the three frames.
HELLO_BYTES, CHALLENGE_BYTES = NUMBER.size + NONCE_BYTES, NONCE_BYTES + PROOF_BYTES

#: Who gives a proof.
EXECUTOR, WORKER = b"tally executor\0", b"tally worker\0"


def drawn() -> bytes:
    """What nobody can know before."""
    return os.urandom(NONCE_BYTES)


def proof(secret: bytes, who: bytes, number: int, of_worker: bytes, of_executor: bytes) -> bytes:
    """That ``who`` knows the secret, in the conversation in which the two have drawn these."""
    return hmac.digest(secret, who + NUMBER.pack(number) + of_worker + of_executor, "sha256")


def holds(shown: bytes, secret: bytes, who: bytes, number: int, of_worker: bytes, of_executor: bytes) -> bool:
    """Whether what was shown is that proof; takes as long whatever is wrong with it."""
    return hmac.compare_digest(shown, proof(secret, who, number, of_worker, of_executor))


def peer(connection: socket.socket) -> Tuple[int, int]:
    """Process and user at the other end, as the system tells."""
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid
