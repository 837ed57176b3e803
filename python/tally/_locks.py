"""Named locks and semaphores, as context managers.

A lock that is held has a connection of its own: it is free when it is given back, or when this process ends, however that
comes about. Locks that one thread takes one inside the other are known to the daemon as nested, so that a deadlock
between threads, processes and machines' scripts is refused at once instead of waited for.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from ._errors import Busy, TimedOut
from ._wire import Connection

if TYPE_CHECKING:
    from ._client import Client

#: What the program was started under, if it was: ``tally lock NAME -- CMD`` says it.
TOKEN = "TALLY_LOCK_TOKEN"

_held = threading.local()


def _tokens() -> List[str]:
    """Tokens of what this thread holds, the innermost last."""
    if not hasattr(_held, "tokens"):
        _held.tokens = []
    return _held.tokens


class Lock:
    """A lock or a semaphore of the daemon.

    ``with client.lock("db") as grant: ...`` waits for it; ``grant.fence`` is larger than that of every earlier holder,
    for what the lock protects to refuse those who are late. ``shared=True`` is beside other readers; ``take`` is how
    many permits of a semaphore; ``timeout`` bounds how long ``with`` waits (``TimedOut``), 0 does not wait (``Busy``);
    ``ttl`` is after how many seconds it is taken away. What is held is given back when this object goes, too.
    """

    def __init__(
        self,
        client: "Client",
        name: str,
        *,
        permits: Optional[int] = None,
        take: int = 1,
        shared: bool = False,
        timeout: Optional[float] = None,
        ttl: Optional[float] = None,
    ) -> None:
        self._client = client
        self.name = name
        self._timeout = timeout
        self._wanted: Dict[str, Any] = {"name": name, "command": " ".join(sys.argv)[:256] or "python"}
        if permits is not None:
            self._wanted.update(permits=permits, take=take)
        elif take != 1:
            raise TypeError("a lock has no permits to take")
        if shared:
            self._wanted["shared"] = True
        if ttl is not None:
            self._wanted["ttl_ms"] = max(1, round(ttl * 1000))
        self._connection: Optional[Connection] = None
        self._grant: Dict[str, Any] = {}

    def __repr__(self) -> str:
        state = f"held, fence {self.fence}" if self.held else "not held"
        return f"<tally.Lock {self.name!r}: {state}>"

    @property
    def held(self) -> bool:
        """Whether this object holds it, as far as it knows: a ``ttl`` may be over, the daemon gone."""
        return self._connection is not None

    @property
    def fence(self) -> int:
        """The number of this grant."""
        if not self.held:
            raise RuntimeError(f"{self.name!r} is not held")
        return self._grant["fence"]

    @property
    def token(self) -> str:
        """What programs started under this grant pass as ``within``, or get as ``TALLY_LOCK_TOKEN``."""
        if not self.held:
            raise RuntimeError(f"{self.name!r} is not held")
        return self._grant["token"]

    @property
    def warnings(self) -> List[str]:
        """What the daemon has noticed about the order in which it was taken."""
        return self._grant.get("warnings", [])

    def acquire(self, blocking: bool = True, timeout: Optional[float] = None) -> bool:
        """Takes it, first come first served. False when it is not free, or not within ``timeout`` seconds.

        Raises ``Deadlock`` when to wait would close a cycle of waits.
        """
        try:
            self._acquire(timeout if blocking else 0)
        except (Busy, TimedOut):
            return False
        return True

    def release(self) -> None:
        """Gives it back."""
        connection, self._connection = self._connection, None
        if connection is None:
            raise RuntimeError(f"cannot release {self.name!r}: it is not held")
        tokens = _tokens()
        if self._grant.get("token") in tokens:
            tokens.remove(self._grant["token"])
        try:
            # Answered when the next one may have it.
            if connection.is_open:
                connection.call("Release", {"fence": self._grant["fence"]})
        finally:
            connection.close()

    def __enter__(self) -> "Lock":
        self._acquire(self._timeout)
        return self

    def __exit__(self, *_: Any) -> None:
        # Given back already, by somebody within.
        if self.held:
            self.release()

    def _acquire(self, timeout: Optional[float]) -> None:
        if self.held:
            raise RuntimeError(f"cannot take {self.name!r} twice: it is held by this object")
        wanted = dict(self._wanted)
        tokens = _tokens()
        within = tokens[-1] if tokens else os.environ.get(TOKEN)
        if within:
            wanted["within"] = within
        if timeout is not None and timeout <= 0:
            wanted["nonblock"] = True
        elif timeout is not None:
            wanted["timeout_ms"] = max(1, round(timeout * 1000))
        connection = self._client._another()
        try:
            self._grant = connection.call("Acquire", wanted)["grant"]
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        tokens.append(self._grant["token"])
