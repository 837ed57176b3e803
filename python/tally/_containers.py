"""Hosted dicts and lists, as Python has them."""

from __future__ import annotations

import contextlib
from collections.abc import MutableMapping
from typing import Any, Iterable, Iterator, Optional, Union
from typing import Dict as DictOf
from typing import List as ListOf

from ._errors import NoSuchObject
from ._hosted import AT_ONCE, Datum, Hosted, swapped
from ._numbers import datum, of_datum


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
        return swapped(lambda: self._do("cas", key=_key(key), value=datum(new), **needs))

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
