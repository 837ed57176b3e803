"""One connection to the daemon: JSON objects ended by NUL over a Unix stream socket, with descriptors beside them.

One call at a time. A call that is interrupted closes the connection, since nobody could tell whose answer comes next;
what belonged to it (an attached job, a lock, an item of a queue) then ends or goes back, as if the process had died.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import weakref
from typing import Any, Dict, Iterator, Optional, Sequence

from . import _errors
from ._errors import BadUsage, NoDaemon, NotPermitted, SupervisorGone

#: Versions of the interface that this package speaks.
OLDEST, NEWEST = 1, 1
#: Descriptors that go with one write: as many as the daemon takes with one read.
FDS_AT_ONCE = 128
#: Bytes of one call, as the daemon bounds them.
CALL_BYTES_MAX = 1 << 20

_open: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def _forget_in_child() -> None:
    # A copy held by a forked child would keep jobs and locks of the parent alive after its death.
    for connection in list(_open):
        connection.close()


os.register_at_fork(after_in_child=_forget_in_child)


class Connection:
    """A connection, greeted. Not for several threads at once."""

    def __init__(self, path: str, *, named: bool = True) -> None:
        self.path = path
        self._rest = bytearray()
        self._socket: Optional[socket.socket] = _connected(path, named)
        _open.add(self)
        try:
            self.call("Hello", {"oldest": OLDEST, "newest": NEWEST})
        except BaseException:
            self.close()
            raise

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def fileno(self) -> int:
        return self._open_socket().fileno()

    def close(self) -> None:
        """Hangs up. What belongs to the connection ends."""
        connected, self._socket = self._socket, None
        if connected is not None:
            connected.close()

    def __del__(self) -> None:
        # Of a thread that has ended, or of something that nobody has any more.
        if getattr(self, "_socket", None) is not None:
            self.close()

    def call(self, method: str, parameters: Optional[Dict[str, Any]] = None, fds: Sequence[int] = ()) -> Dict[str, Any]:
        """Asks, and returns the parameters of the one reply."""
        try:
            self.send(method, parameters, fds=fds)
            return self._answer(self.receive())
        except _errors.TallyError:
            raise
        except BaseException:
            self.close()
            raise

    def stream(self, method: str, parameters: Dict[str, Any], fds: Sequence[int] = ()) -> Iterator[Dict[str, Any]]:
        """Asks for several replies, and gives the parameters of each. Left early, it hangs up."""
        ended = False
        try:
            self.send(method, parameters, more=True, fds=fds)
            while not ended:
                reply = self.receive()
                ended = not reply.get("continues")
                yield self._answer(reply)
        finally:
            if not ended:
                self.close()

    def send(
        self,
        method: str,
        parameters: Optional[Dict[str, Any]] = None,
        *,
        more: bool = False,
        fds: Sequence[int] = (),
    ) -> None:
        """Sends a call and does not wait."""
        call: Dict[str, Any] = {"method": f"io.tally.{method}"}
        if parameters:
            call["parameters"] = parameters
        if more:
            call["more"] = True
        data = json.dumps(call, separators=(",", ":")).encode() + b"\0"
        if len(data) > CALL_BYTES_MAX:
            raise BadUsage(f"could not ask the daemon: the request has more than {CALL_BYTES_MAX} bytes")
        connected = self._open_socket()
        try:
            # Descriptors arrive with bytes of the call they belong to: some with each of the first.
            for start in range(0, len(fds), FDS_AT_ONCE):
                some = fds[start : start + FDS_AT_ONCE]
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(some)}i", *some))
                data = data[connected.sendmsg([data[:1]], [rights]) :]
            connected.sendall(data)
        except OSError as why:
            # What the daemon had to say before it hung up may still be there to be read.
            if why.errno not in (errno.EPIPE, errno.ECONNRESET):
                raise

    def receive(self) -> Dict[str, Any]:
        """The next reply, whole."""
        connected = self._open_socket()
        searched = 0
        while True:
            end = self._rest.find(b"\0", searched)
            if end >= 0:
                message = bytes(self._rest[:end])
                del self._rest[: end + 1]
                return json.loads(message)
            searched = len(self._rest)
            try:
                data = connected.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                self.close()
                raise SupervisorGone("could not finish: the daemon ended before it answered")
            self._rest += data

    def holds_reply(self) -> bool:
        """Whether a whole reply is here that nobody has received."""
        return b"\0" in self._rest

    def _answer(self, reply: Dict[str, Any]) -> Dict[str, Any]:
        parameters = reply.get("parameters") or {}
        if "error" in reply:
            raise _errors.of_reply(reply["error"], parameters)
        return parameters

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            raise SupervisorGone("could not ask the daemon: the connection is closed")
        return self._socket


def _connected(path: str, named: bool) -> socket.socket:
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connecting.connect(path)
    except PermissionError as why:
        connecting.close()
        raise NotPermitted(f"could not reach the daemon at {path}: permission denied") from why
    except (OSError, ValueError) as why:
        connecting.close()
        absent = getattr(why, "errno", None) in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR)
        reason = "nobody listens" if absent else str(why)
        hint = "start one there with 'tally daemon'" if named else "start one with 'tally daemon'"
        raise NoDaemon(f"could not reach the daemon at {path}: {reason}", hint=hint) from why
    return connecting
