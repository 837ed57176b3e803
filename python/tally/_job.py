"""Jobs: what is asked for, how it goes, what came of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Tuple, Union

from . import _errors, _numbers
from ._errors import TimedOut, WrongState
from ._numbers import Number

if TYPE_CHECKING:
    from ._client import Client

Key = Union[str, Tuple[str, ...]]
#: One number; a number for each reduction; or one of these for each group.
Answer = Union[Number, Dict[str, Number], Dict[Key, Number], Dict[Key, Dict[str, Number]]]


@dataclasses.dataclass(frozen=True)
class Progress:
    """A job at one moment. What is not known is ``None``."""

    job: str
    #: ``queued``, ``running``, ``paused``, ``done``, ``failed``, ``cancelled`` or ``timed-out``.
    state: str
    #: Elements, of files bytes, in all and folded so far.
    total: int
    done: int
    elapsed_ms: int
    eta_ms: Optional[int]
    rate_per_s: Optional[int]
    retries: int
    #: Everything the daemon tells of it, as in ``tally show --json``.
    view: Dict[str, Any]

    @property
    def fraction(self) -> float:
        """How much of it is done: 0.0 to 1.0."""
        return self.done / self.total if self.total else 1.0


def progress_of(view: Dict[str, Any]) -> Progress:
    kind = "bytes" if "bytes" in view else "elements"
    return Progress(
        job=view["job"],
        state=view["state"],
        total=_numbers.integer(view[kind]),
        done=_numbers.integer(view.get(kind + "_done", "0")),
        elapsed_ms=view["elapsed_ms"],
        eta_ms=view.get("eta_ms"),
        rate_per_s=view.get("rate_per_s"),
        retries=view["retries"],
        view=view,
    )


def answer_of(view: Dict[str, Any], single: bool) -> Answer:
    """What an ended job answered; raises what became of one that did not."""
    if "error" in view:
        raise _errors.of_failure(view["error"])
    if view["state"] != "done":
        raise WrongState(f"could not read the answer of {view['job']}: it is {view['state']}")

    def of(results: Any) -> Union[Number, Dict[str, Number]]:
        answers = {one["reduction"]: _numbers.answer(one) for one in results}
        return next(iter(answers.values())) if single else answers

    if "groups" in view:
        return {_key(group["key"]): of(group["results"]) for group in view["groups"]}  # type: ignore[return-value]
    if view.get("results"):
        return of(view["results"])
    # Of groups there may be none.
    return {}


def _key(key: Any) -> Key:
    return key[0] if len(key) == 1 else tuple(key)


class Job:
    """A job of the daemon, by its id."""

    def __init__(self, client: "Client", job: str, single: bool) -> None:
        self._client = client
        #: Its id, as ``tally jobs`` shows it.
        self.id = job
        self._single = single
        self._ended: Optional[Dict[str, Any]] = None

    def __repr__(self) -> str:
        return f"<tally.Job {self.id}>"

    def show(self) -> Progress:
        """The job now."""
        return progress_of(self._view("Show"))

    def explain(self) -> list:
        """Why it waits: sentences, the weightiest first."""
        return self._client._call("Explain", {"job": self.id})["reasons"]

    def follow(self) -> Iterator[Progress]:
        """The job now and then, until it has ended."""
        for reply in self._client._stream("Follow", {"job": self.id}):
            yield progress_of(reply["job"])

    def wait(self, timeout: Optional[float] = None) -> Progress:
        """Waits until it has ended. A job that failed is no error here.

        Raises ``TimedOut`` when that takes longer than ``timeout`` seconds; the job goes on.
        """
        if self._ended is None:
            call = self._client._call_within(timeout, "Wait", {"jobs": [self.id]})
            if call is None:
                raise TimedOut(f"could not wait for {self.id}: it goes on after {timeout} s")
            self._ended = call["jobs"][0]
        return progress_of(self._ended)

    def result(self, timeout: Optional[float] = None) -> Answer:
        """Waits, and returns the answer. What became of a job without one is raised."""
        self.wait(timeout)
        assert self._ended is not None
        return answer_of(self._ended, self._single)

    def cancel(self) -> None:
        """Ends it."""
        self._client._call("Cancel", {"jobs": [self.id]})

    def pause(self) -> None:
        """No more of it is begun until ``resume``."""
        self._view("Pause")

    def resume(self) -> None:
        """Goes on."""
        self._view("Resume")

    def retry(self) -> None:
        """A failed, cancelled or timed-out job goes on from what it has."""
        self._view("Retry")
        self._ended = None

    def _view(self, method: str) -> Dict[str, Any]:
        return self._client._call(method, {"job": self.id})["job"]
