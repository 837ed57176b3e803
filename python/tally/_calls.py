"""A call of an executor: what is sent to a worker, and what is made of its answer."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures.process import _RemoteTraceback
from typing import Callable, Optional

from . import _frames
from ._broken import BrokenWorker
from ._frames import loads


#: Workers that may die, one after the other, before they have read a call, until that is taken for the call's doing.
UNREAD_MAX = 3


class Call:
    """A call, until it is answered."""

    __slots__ = ("future", "function", "arguments", "keywords", "retries", "begun", "unread")

    def __init__(self, future: Future, function: Callable, arguments: tuple, keywords: dict, retries: int) -> None:
        self.future = future
        self.function = function
        self.arguments = arguments
        self.keywords = keywords
        #: Deaths of its worker that it may have before it is given up.
        self.retries = retries
        #: Its future says that it runs.
        self.begun = False
        #: How many workers died that had not read it.
        self.unread = 0


def answer(call: Call, kind: bytes, body: _frames.Bytes) -> None:
    """Tells a future what came of its call."""
    if kind == _frames.UNREAD:
        text = bytes(body).decode(errors="replace")
        error: BaseException = BrokenWorker("the worker could not read this call")
        error.__cause__ = remote(text)
        call.future.set_exception(error)
        return
    raised: Optional[str] = None
    try:
        result = loads(body)
        if kind == _frames.RAISED:
            raised, data = result
            result = loads(data)
    except BaseException as why:
        message = "what this call returned could not be read"
        if raised is not None:
            message = f"what this call raised could not be read: {raised}"
        error = BrokenWorker(message)
        error.__cause__ = why
        call.future.set_exception(error)
        return
    if kind == _frames.RESULT:
        call.future.set_result(result)
    else:
        call.future.set_exception(result)


def remote(text: str) -> BaseException:
    """A traceback from elsewhere, as concurrent.futures shows it."""
    return _RemoteTraceback(f'\n"""\n{text}"""')  # type: ignore[arg-type]
