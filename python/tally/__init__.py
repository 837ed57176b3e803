"""tally for Python: exact parallel reductions, shared things and an executor, over the daemon's workers.

``connect`` is a client of the daemon, ``Daemon`` a daemon of one's own, ``kernel`` and ``main`` make a function a kernel,
``Executor`` behaves as ``concurrent.futures.ProcessPoolExecutor``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from ._broken import BrokenWorker as BrokenWorker
    from ._client import Client as Client, connect as connect
    from ._daemon import Daemon as Daemon
    from ._errors import (
        BadUsage as BadUsage,
        BarrierBroken as BarrierBroken,
        Busy as Busy,
        Cancelled as Cancelled,
        Closed as Closed,
        Conflict as Conflict,
        Deadlock as Deadlock,
        InternalFailure as InternalFailure,
        JobFailed as JobFailed,
        KernelFailed as KernelFailed,
        NoAnswer as NoAnswer,
        NoDaemon as NoDaemon,
        NoSuchJob as NoSuchJob,
        NoSuchObject as NoSuchObject,
        NotEnded as NotEnded,
        NotPermitted as NotPermitted,
        NoWorkers as NoWorkers,
        Stopping as Stopping,
        StoreFailed as StoreFailed,
        SupervisorGone as SupervisorGone,
        SystemFailure as SystemFailure,
        TallyError as TallyError,
        TimedOut as TimedOut,
        TooMany as TooMany,
        VersionMismatch as VersionMismatch,
        WorkerKilled as WorkerKilled,
        WrongState as WrongState,
    )
    from ._executor import Executor as Executor
    from ._job import Job as Job, Progress as Progress
    from ._kernel import kernel as kernel, main as main
    from ._locks import Lock as Lock
    from ._objects import (
        Barrier as Barrier,
        Dict as Dict,
        Event as Event,
        Item as Item,
        List as List,
        Queue as Queue,
        Stats as Stats,
        Value as Value,
    )

#: What is in which module. It is imported when it is first asked for: a kernel needs next to nothing of this, and each of
#: its processes would wait for the rest.
_HOMES = {
    "_broken": "BrokenWorker",
    "_client": "Client connect",
    "_daemon": "Daemon",
    "_errors": "BadUsage BarrierBroken Busy Cancelled Closed Conflict Deadlock InternalFailure JobFailed KernelFailed "
    "NoAnswer NoDaemon NoSuchJob NoSuchObject NotEnded NotPermitted NoWorkers Stopping StoreFailed SupervisorGone "
    "SystemFailure TallyError TimedOut TooMany VersionMismatch WorkerKilled WrongState",
    "_executor": "Executor",
    "_job": "Job Progress",
    "_kernel": "kernel main",
    "_locks": "Lock",
    "_objects": "Barrier Dict Event Item List Queue Stats Value",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [*sorted(_HOME_OF), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tally' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module("." + _HOME_OF[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list:
    return __all__
