"""Things that processes share, hosted by the daemon, as Python has them.

Each operation is done as a whole in the daemon, so a read-modify-write is one operation (``add``, ``cas``, ``update``)
and there is no lock to take. An object is there from the first operation that puts something in; one that is not there
is empty. They hold ``int`` of any size, ``float``, ``str`` and ``bytes``; nothing is pickled.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Optional, Union
from typing import Dict as DictOf
from typing import List as ListOf

from . import _numbers
from ._errors import BarrierBroken, Conflict, NoSuchObject, TimedOut
from ._numbers import datum, of_datum
from ._wire import Connection

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


def _ms(timeout: Optional[float]) -> DictOf[str, int]:
    return {} if timeout is None else {"timeout_ms": max(0, round(timeout * 1000))}


def _swapped(do: Any) -> bool:
    try:
        do()
    except (Conflict, NoSuchObject):
        return False
    return True


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
        return _swapped(lambda: self._do("cas", value=datum(new), **needs))


class Dict(Hosted, MutableMapping):
    """Data by keys, which are text, in their order: a ``MutableMapping``."""

    kind = "dict"

    def __getitem__(self, key: str) -> Datum:
        result = self._do_if_there("get", key=_key(key))
        if not result:
            raise KeyError(key)
        return of_datum(result["value"])

    def __setitem__(self, key: str, value: Datum) -> None:
        self._do("set", key=_key(key), value=datum(value))

    def __delitem__(self, key: str) -> None:
        if not self._do_if_there("del", key=_key(key)):
            raise KeyError(key)

    def __len__(self) -> int:
        return self._do_if_there("len").get("length", 0)

    def __iter__(self) -> Iterator[str]:
        for page in self._pages("keys"):
            yield from page.get("keys", ())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bool(self._do_if_there("get", key=key))

    # A view of MutableMapping would ask for each value on its own.
    def items(self) -> ListOf[tuple]:  # type: ignore[override]
        """Keys and values, in the order of the keys, as they are now."""
        pages = self._pages("items")
        return [(key, of_datum(value)) for page in pages for key, value in page.get("items", {}).items()]

    def keys(self) -> ListOf[str]:  # type: ignore[override]
        """The keys, in their order."""
        return list(self)

    def values(self) -> ListOf[Datum]:  # type: ignore[override]
        """The values, in the order of the keys."""
        return [value for _, value in self.items()]

    def update(self, *others: Any, **more: Datum) -> None:
        """Sets many keys: up to 1000 of them as a whole, more in several steps."""
        items = [(_key(key), datum(value)) for key, value in dict(*others, **more).items()]
        for start in range(0, len(items), AT_ONCE):
            self._do("update", items=dict(items[start : start + AT_ONCE]))

    def add(self, key: str, number: Union[int, float] = 1) -> Union[int, float]:
        """Adds a number to the value of a key, to 0 if it is not there, and returns the sum."""
        return of_datum(self._do("add", key=_key(key), value=datum(number))["value"])  # type: ignore[return-value]

    def cas(self, key: str, old: Optional[Datum], new: Datum) -> bool:
        """Sets a key to ``new`` if it is ``old`` (``None``: if it is not there). Whether it was."""
        needs = {} if old is None else {"old": datum(old)}
        return _swapped(lambda: self._do("cas", key=_key(key), value=datum(new), **needs))

    def setdefault(self, key: str, default: Datum = "") -> Datum:  # type: ignore[override]
        """The value of a key, which becomes ``default`` if it is not there."""
        while not self.cas(key, None, default):
            with contextlib.suppress(KeyError):
                return self[key]
        return default

    _MISSING = object()

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Removes a key and returns its value, as a whole."""
        try:
            got, _ = self._client.transact(self.operation("get", key=_key(key)), self.operation("del", key=_key(key)))
        except NoSuchObject:
            if default is self._MISSING:
                raise KeyError(key) from None
            return default
        return of_datum(got["value"])

    def clear(self) -> None:
        """Removes the object with all that is in it."""
        self.remove()

    def _pages(self, operation: str) -> Iterator[DictOf[str, Any]]:
        behind: DictOf[str, str] = {}
        while True:
            page = self._do_if_there(operation, **behind)
            yield page
            if page.get("next") is None:
                return
            behind = {"key": page["next"]}


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key is text, not {type(key).__name__}")
    return key


class List(Hosted):
    """Data in a row; what a ``list`` has, as far as one operation can do it."""

    kind = "list"

    def append(self, value: Datum) -> None:
        """Puts one at the end."""
        self._do("push", value=datum(value))

    def appendleft(self, value: Datum) -> None:
        """Puts one at the front."""
        self._do("push", value=datum(value), front=True)

    def extend(self, values: Iterable[Datum]) -> None:
        """Puts several at the end: up to 1000 of them as a whole, more in several steps."""
        data = [datum(value) for value in values]
        for start in range(0, len(data), AT_ONCE):
            self._do("push", values=data[start : start + AT_ONCE])

    def pop(self, index: int = -1) -> Datum:
        """Takes one out."""
        return self._at("pop", index)

    def __getitem__(self, index: Union[int, slice]) -> Any:
        if isinstance(index, slice):
            return list(self)[index]
        return self._at("get", index)

    def __setitem__(self, index: int, value: Datum) -> None:
        self._at("set", index, value=datum(value))

    def __len__(self) -> int:
        return self._do_if_there("len").get("length", 0)

    def __iter__(self) -> Iterator[Datum]:
        index = 0
        while True:
            page = self._do_if_there("all", index=index)
            yield from map(of_datum, page.get("values", ()))
            if page.get("next") is None:
                return
            index = int(page["next"])

    def _at(self, operation: str, index: int, **needs: Any) -> Any:
        result = self._do_if_there(operation, index=index, **needs)
        if not result:
            raise IndexError(f"{self.name!r} has no element {index}")
        return of_datum(result["value"]) if "value" in result else None


class Item:
    """An item of a queue that this process works on. It goes back to its place unless it is acknowledged."""

    def __init__(self, queue: "Queue", connection: Connection, result: DictOf[str, Any]) -> None:
        self._queue = queue
        self._connection = connection
        self._receipt = result["receipt"]
        #: The item.
        self.value: Datum = of_datum(result["value"])
        #: How often it was delivered, this time included.
        self.deliveries: int = result["deliveries"]

    def ack(self) -> None:
        """It is done with."""
        self._end("ack")

    def give_back(self) -> None:
        """Somebody else may have it, at its old place."""
        self._end("return")

    def __enter__(self) -> Datum:
        return self.value

    def __exit__(self, kind: Any, *_: Any) -> None:
        if self._connection.is_open:
            self._end("ack" if kind is None else "return")

    def _end(self, operation: str) -> None:
        try:
            call = {"operation": self._queue.operation(operation, receipt=self._receipt)}
            self._connection.call("Operate", call)
        finally:
            self._connection.close()


class Queue(Hosted):
    """A queue, first come first served, for producers and consumers in any process and language."""

    kind = "queue"

    def __init__(
        self,
        client: "Client",
        name: str,
        *,
        capacity: Optional[int] = None,
        deliveries: Optional[int] = None,
        **options: Any,
    ) -> None:
        super().__init__(client, name, capacity=capacity, deliveries=deliveries, **options)

    def put(self, item: Datum, block: bool = True, timeout: Optional[float] = None) -> None:
        """Puts one in; waits for room. ``queue.Full`` when that takes too long, ``Closed`` when nothing may be put in."""
        try:
            self._do("put", value=datum(item), **_ms(timeout if block else 0))
        except TimedOut as why:
            raise queue.Full from why

    def put_many(self, items: Iterable[Datum], timeout: Optional[float] = None) -> None:
        """Puts several in: up to 1000 of them as a whole, more in several steps."""
        data = [datum(item) for item in items]
        for start in range(0, len(data), AT_ONCE):
            try:
                self._do("put", values=data[start : start + AT_ONCE], **_ms(timeout))
            except TimedOut as why:
                raise queue.Full from why

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Datum:
        """Takes the next one out; it is gone then, whatever becomes of this process. Waits for one.

        ``queue.Empty`` when that takes too long; ``Closed`` when none will come.
        """
        try:
            return of_datum(self._do("get", take=True, **_ms(timeout if block else 0))["value"])
        except TimedOut as why:
            raise queue.Empty from why

    def work(self, timeout: Optional[float] = None, lease: Optional[float] = None) -> Item:
        """The next one to work on: ``with queue.work() as item: ...``.

        It is acknowledged at the end of the block, and goes back to its place if the block raises or the process dies,
        or after ``lease`` seconds.
        """
        needs = {} if lease is None else {"lease_ms": max(1, round(lease * 1000))}
        connection = self._client._another()
        try:
            call = {"operation": self.operation("get", **needs, **_ms(timeout))}
            return Item(self, connection, connection.call("Operate", call)["result"])
        except TimedOut as why:
            connection.close()
            raise queue.Empty from why
        except BaseException:
            connection.close()
            raise

    def qsize(self) -> int:
        """How many wait."""
        return self._do_if_there("size").get("length", 0)

    def empty(self) -> bool:
        """Whether none waits."""
        return self.qsize() == 0

    def close(self) -> None:
        """Nothing more is put in; consumers get what is in it, then ``Closed``."""
        self._do("close")

    def dead(self) -> ListOf[Datum]:
        """Items that were delivered in vain as often as ``deliveries`` allows."""
        found: ListOf[Datum] = []
        index = 0
        while True:
            page = self._do_if_there("dead", index=index)
            found += map(of_datum, page.get("values", ()))
            if page.get("next") is None:
                return found
            index = int(page["next"])

    def revive(self) -> None:
        """Puts dead items back, as if never delivered."""
        self._do("revive")


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
            self._do("wait", **_ms(timeout))
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
            return self._do("wait", parties=self.parties, **_ms(timeout))["index"]
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

    def get(self) -> DictOf[str, _numbers.Number]:
        """``count``, ``sum``, ``min``, ``max``, ``mean``; those that nothing has none of are left out."""
        results = self._do_if_there("get").get("results", ())
        return {one["reduction"]: _numbers.answer(one) for one in results}
