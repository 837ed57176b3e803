"""Hosted queues, whose items come back when whoever works on them dies."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any, Iterable, Optional
from typing import Dict as DictOf
from typing import List as ListOf

from ._errors import TimedOut
from ._hosted import AT_ONCE, Datum, Hosted, ms
from ._numbers import datum, of_datum
from ._wire import Connection

if TYPE_CHECKING:
    from ._client import Client


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
            self._do("put", value=datum(item), **ms(timeout if block else 0))
        except TimedOut as why:
            raise queue.Full from why

    def put_many(self, items: Iterable[Datum], timeout: Optional[float] = None) -> None:
        """Puts several in: up to 1000 of them as a whole, more in several steps."""
        data = [datum(item) for item in items]
        for start in range(0, len(data), AT_ONCE):
            try:
                self._do("put", values=data[start : start + AT_ONCE], **ms(timeout))
            except TimedOut as why:
                raise queue.Full from why

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Datum:
        """Takes the next one out; it is gone then, whatever becomes of this process. Waits for one.

        ``queue.Empty`` when that takes too long; ``Closed`` when none will come.
        """
        try:
            return of_datum(self._do("get", take=True, **ms(timeout if block else 0))["value"])
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
            call = {"operation": self.operation("get", **needs, **ms(timeout))}
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
