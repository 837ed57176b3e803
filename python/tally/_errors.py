"""What can go wrong, as exception classes: one for each error code of the daemon.

Every one of them is a ``TallyError`` with ``code``, ``hint``, ``exit`` and what else the daemon told. Where Python has
an exception of the same meaning (``TimeoutError``, ``LookupError``, ``ValueError``), it is one of those, too.
"""

from __future__ import annotations

import threading
from typing import Any, Dict, Optional, Type


class TallyError(Exception):
    """The daemon refused something, or a job has no answer."""

    #: The word programs can rely on, as in ``--json``.
    code: str = "internal"
    #: The exit code of the command line.
    exit: int = 1

    # OSError, which some are too, takes apart what it is made with.
    def __new__(cls, *_: Any, **__: Any) -> "TallyError":
        return super().__new__(cls)

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.args = (message,)
        self.message = message
        #: What to do about it, where the daemon knows.
        self.hint: Optional[str] = details.get("hint")
        #: The range of values that failed, as one writes it.
        self.range: Optional[str] = details.get("range")
        #: The tail of what the worker wrote to its standard error.
        self.stderr: Optional[str] = details.get("stderr")
        self.exit = details.get("exit", self.exit)
        #: Everything the daemon said about it.
        self.details: Dict[str, Any] = details

    def __str__(self) -> str:
        lines = [self.message]
        # Lines that show where in what was written, with a caret.
        lines += (self.details.get("place") or "").splitlines()
        if self.hint:
            lines.append(f"hint: {self.hint}")
        if self.stderr:
            lines.append("standard error: " + self.stderr.rstrip())
        return "\n  ".join(lines)

    def __reduce__(self):
        return _rebuild, (type(self), self.message, self.details)


def _rebuild(kind: Type[TallyError], message: str, details: Dict[str, Any]) -> TallyError:
    return kind(message, **details)


class JobFailed(TallyError):
    """A job ended without an answer."""


class WorkerKilled(JobFailed):
    """A range killed its workers as often as the job allows."""

    code = "worker-killed"


class KernelFailed(JobFailed):
    """The kernel reported an error of its own."""

    code = "kernel-failed"


class BadData(KernelFailed, ValueError):
    """The data has no answer: a cell that is no number, a broken file, a division by zero at an element."""

    code = "bad-data"


class NoAnswer(JobFailed, ValueError):
    """There is no answer: the mean of nothing, the variance of one element."""

    code = "no-answer"


class NoWorkers(JobFailed):
    """Workers could not be started."""

    code = "no-workers"


class Cancelled(JobFailed):
    """Cancelled by a client, or its client went away."""

    code = "cancelled"
    exit = 4


class TimedOut(TallyError, TimeoutError):
    """A job's deadline passed, or a wait took too long."""

    code = "timed-out"
    exit = 5


class SupervisorGone(TallyError, ConnectionError):
    """The daemon ended before it answered."""

    code = "supervisor-gone"


class BadUsage(TallyError, ValueError):
    """A bad option, source or value."""

    code = "bad-usage"
    exit = 2


class NoDaemon(TallyError, ConnectionError):
    """Nobody listens at the control socket."""

    code = "no-daemon"
    exit = 3


class VersionMismatch(TallyError):
    """This package and the daemon share no version of the protocol."""

    code = "version-mismatch"


class NotPermitted(TallyError, PermissionError):
    """The client may not do this."""

    code = "not-permitted"
    exit = 6


class NoSuchJob(TallyError, LookupError):
    """There is no such job."""

    code = "no-such-job"
    exit = 7


class NotEnded(TallyError):
    """The job has not ended yet, so it has no result."""

    code = "not-ended"


class WrongState(TallyError):
    """The job's state does not allow this."""

    code = "wrong-state"


class TooMany(TallyError):
    """A limit is reached."""

    code = "too-many"


class Stopping(TallyError):
    """The daemon is stopping."""

    code = "stopping"


class StoreFailed(TallyError):
    """It could not be written down."""

    code = "store-failed"


class Busy(TallyError):
    """Somebody else has it, and the client did not want to wait."""

    code = "busy"
    exit = 8


class Deadlock(TallyError):
    """To wait would have closed a cycle of waits; ``details["deadlock"]`` names every one of them."""

    code = "deadlock"
    exit = 9


class NoSuchObject(TallyError, LookupError):
    """There is no such object, or no such key or element in it."""

    code = "no-such-object"
    exit = 7


class Closed(TallyError):
    """The queue is closed: nothing is put into it, and what was in it has been taken."""

    code = "closed"
    exit = 7


class Conflict(TallyError):
    """It is not what it was said to be: a version, an old value."""

    code = "conflict"


class BarrierBroken(TallyError, threading.BrokenBarrierError):
    """A party died, or did not wait long enough."""

    code = "barrier-broken"


class SystemFailure(TallyError, OSError):
    """The system refused something: a file, a socket, a process."""

    code = "system"


class InternalFailure(TallyError):
    """Something inside went wrong that should not have: a defect of tally."""

    code = "internal"


def _leaves(kind: Type[TallyError]) -> Dict[str, Type[TallyError]]:
    found = {kind.__dict__["code"]: kind} if "code" in kind.__dict__ else {}
    for child in kind.__subclasses__():
        found.update(_leaves(child))
    return found


_BY_CODE = _leaves(TallyError)


def of_failure(failure: Dict[str, Any]) -> TallyError:
    """The exception for a failure as the daemon tells it; one of a code not known here is a plain ``TallyError``."""
    details = {key: value for key, value in failure.items() if key not in ("code", "message")}
    code = failure.get("code", "internal")
    error = _BY_CODE.get(code, TallyError)(failure.get("message", "it failed"), **details)
    error.code = code
    return error


def of_reply(name: str, parameters: Dict[str, Any]) -> TallyError:
    """The exception for an error reply: one of ``io.tally``, or of varlink itself."""
    if "code" in parameters:
        return of_failure(parameters)
    return BadUsage(f"could not call the daemon: {name} {parameters or ''}".rstrip())
