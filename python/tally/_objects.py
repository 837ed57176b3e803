"""Things that processes share, hosted by the daemon, as Python has them.

Each operation is done as a whole in the daemon, so a read-modify-write is one operation (``add``, ``cas``, ``update``)
and there is no lock to take. An object is there from the first operation that puts something in; one that is not there
is empty. They hold ``int`` of any size, ``float``, ``str`` and ``bytes``; nothing is pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Union
from typing import Dict as DictOf

from . import _numbers
from ._containers import Dict as Dict
from ._containers import List as List
from ._errors import BarrierBroken, TimedOut
from ._hosted import AT_ONCE, Datum, Hosted, ms, swapped
from ._numbers import datum, of_datum
from ._queue import Item as Item
from ._queue import Queue as Queue

if TYPE_CHECKING:
    from ._client import Client


class Value(Hosted):
    """One number, text or bytes."""

    kind = "value"

    def get(self, default: Optional[Datum] = None) -> Optional[Datum]:
        """What it is, or ``default`` if it is not there."""
        result = self._do_if_there("get")
        return of_datum(result["value"]) if result else default

    def set(self, value: Datum) -> None:
        """Replaces it."""
        self._do("set", value=datum(value))

    value = property(get, set, doc="What it is; ``None`` if it is not there.")

    def add(self, number: Union[int, float] = 1) -> Union[int, float]:
        """Adds a number, to 0 if it is not there, and returns the sum. Floats are added exactly."""
        return of_datum(self._do("add", value=datum(number))["value"])  # type: ignore[return-value]

    def cas(self, old: Optional[Datum], new: Datum) -> bool:
        """Sets it to ``new`` if it is ``old`` (``None``: if it is not there). Whether it was."""
        needs = {} if old is None else {"old": datum(old)}
        return swapped(lambda: self._do("cas", value=datum(new), **needs))


class Event(Hosted):
    """An event, as ``threading.Event``."""

    kind = "event"

    def set(self) -> None:
        """Who waits goes on."""
        self._do("set")

    def clear(self) -> None:
        """Who comes waits."""
        self._do("clear")

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._do_if_there("get").get("set", False)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until it is set; false when that takes too long."""
        try:
            self._do("wait", **ms(timeout))
        except TimedOut:
            return False
        return True


class Barrier(Hosted):
    """A barrier, as ``threading.Barrier``: it breaks when a party dies or gives up."""

    kind = "barrier"

    def __init__(self, client: "Client", name: str, parties: int, **options: Any) -> None:
        super().__init__(client, name, **options)
        self.parties = parties

    def wait(self, timeout: Optional[float] = None) -> int:
        """Waits for the others; which of the parties this one was, by its arrival, from 0.

        Raises ``BarrierBroken``, which is a ``threading.BrokenBarrierError``.
        """
        try:
            return self._do("wait", parties=self.parties, **ms(timeout))["index"]
        except TimedOut as why:
            raise BarrierBroken(why.message) from why

    def reset(self) -> None:
        """Mends it; who waits hears that it was broken."""
        self._do("reset")

    @property
    def n_waiting(self) -> int:
        """How many wait."""
        return self._do_if_there("get").get("length", 0)

    @property
    def broken(self) -> bool:
        """Whether it is broken."""
        return self._do_if_there("get").get("broken", False)


class Stats(Hosted):
    """Count, exact sum, least, greatest and mean of what was added, by whomever, in whatever order."""

    kind = "stats"

    def add(self, *values: Union[int, float]) -> None:
        """Takes numbers in: up to 1000 of them as a whole, more in several steps."""
        data = [datum(value) for value in values]
        for start in range(0, len(data), AT_ONCE):
            self._do("add", values=data[start : start + AT_ONCE])

    def reset(self) -> None:
        """Begins anew."""
        self._do("reset")

    def get(self) -> DictOf[str, _numbers.Number]:
        """``count``, ``sum``, ``min``, ``max``, ``mean``; those that nothing has none of are left out.

        ``skipped`` is how many were no number, or infinite: they are left out of the others.
        """
        results = self._do_if_there("get").get("results", ())
        return {one["reduction"]: _numbers.answer(one) for one in results}
