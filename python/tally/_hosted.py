"""What all things that the daemon hosts have in common: a name, how they are made, and operations done as a whole."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Optional, Union
from typing import Dict as DictOf

from ._errors import Conflict, NoSuchObject

if TYPE_CHECKING:
    from ._client import Client

Datum = Union[int, float, str, bytes]

#: Operations of one transaction, and keys or elements of one operation, that are sent at once.
AT_ONCE = 1000


class Hosted:
    """What they have in common. ``lifetime`` is ``"daemon"``, ``"persistent"`` or ``"connection"``; ``ttl`` seconds."""

    kind = ""

    def __init__(
        self,
        client: "Client",
        name: str,
        *,
        lifetime: Optional[str] = None,
        ttl: Optional[float] = None,
        others: Optional[str] = None,
        **options: Any,
    ) -> None:
        self._client = client
        self.name = name
        self._made: DictOf[str, Any] = {}
        if lifetime is not None:
            self._made["lifetime"] = lifetime
        if ttl is not None:
            self._made["ttl_ms"] = max(1, round(ttl * 1000))
        if others is not None:
            self._made["others"] = others
        self._made.update({key: value for key, value in options.items() if value is not None})

    def __repr__(self) -> str:
        return f"<tally.{type(self).__name__} {self.name!r}>"

    def remove(self) -> None:
        """Ends the object, whatever is in it. It is no error if it is not there."""
        with contextlib.suppress(NoSuchObject):
            self._client._call("RemoveObject", {"object": self.name})

    def operation(self, operation: str, **needs: Any) -> DictOf[str, Any]:
        """An operation of ``docs/objects.md`` as ``Client.transact`` takes it."""
        return {"object": self.name, "kind": self.kind, "operation": operation, **self._made, **needs}

    def _do(self, operation: str, **needs: Any) -> DictOf[str, Any]:
        return self._client._call("Operate", {"operation": self.operation(operation, **needs)})["result"]

    def _do_if_there(self, operation: str, **needs: Any) -> DictOf[str, Any]:
        try:
            return self._do(operation, **needs)
        except NoSuchObject:
            return {}


def ms(timeout: Optional[float]) -> DictOf[str, int]:
    """How long an operation may wait, as the daemon is told."""
    return {} if timeout is None else {"timeout_ms": max(0, round(timeout * 1000))}


def swapped(do: Any) -> bool:
    """Whether what was to be replaced was what it was taken for."""
    try:
        do()
    except (Conflict, NoSuchObject):
        return False
    return True
