"""tally for Python: exact parallel reductions, shared things and an executor, over the daemon's workers.

``connect`` is a client of the daemon, ``Daemon`` a daemon of one's own, ``kernel`` and ``main`` make a function a kernel,
``Executor`` behaves as ``concurrent.futures.ProcessPoolExecutor``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from ._broken import BrokenWorker as BrokenWorker
    from ._client import Client as Client
    from ._client import connect as connect
    from ._daemon import Daemon as Daemon
    from ._errors import (
        BadData as BadData,
    )
    from ._errors import (
        BadUsage as BadUsage,
    )
    from ._errors import (
        BarrierBroken as BarrierBroken,
    )
    from ._errors import (
        Busy as Busy,
    )
    from ._errors import (
        Cancelled as Cancelled,
    )
    from ._errors import (
        Closed as Closed,
    )
    from ._errors import (
        Conflict as Conflict,
    )
    from ._errors import (
        Deadlock as Deadlock,
    )
    from ._errors import (
        InternalFailure as InternalFailure,
    )
    from ._errors import (
        JobFailed as JobFailed,
    )
    from ._errors import (
        KernelFailed as KernelFailed,
    )
    from ._errors import (
        NoAnswer as NoAnswer,
    )
    from ._errors import (
        NoDaemon as NoDaemon,
    )
    from ._errors import (
        NoSuchJob as NoSuchJob,
    )
    from ._errors import (
        NoSuchObject as NoSuchObject,
    )
    from ._errors import (
        NotEnded as NotEnded,
    )
    from ._errors import (
        NotPermitted as NotPermitted,
    )
    from ._errors import (
        NoWorkers as NoWorkers,
    )
    from ._errors import (
        Stopping as Stopping,
    )
    from ._errors import (
        StoreFailed as StoreFailed,
    )
    from ._errors import (
        SupervisorGone as SupervisorGone,
    )
    from ._errors import (
        SystemFailure as SystemFailure,
    )
    from ._errors import (
        TallyError as TallyError,
    )
    from ._errors import (
        TimedOut as TimedOut,
    )
    from ._errors import (
        TooMany as TooMany,
    )
    from ._errors import (
        VersionMismatch as VersionMismatch,
    )
    from ._errors import (
        WorkerKilled as WorkerKilled,
    )
    from ._errors import (
        WrongState as WrongState,
    )
    from ._executor import Executor as Executor
    from ._job import Job as Job
    from ._job import Progress as Progress
    from ._kernel import kernel as kernel
    from ._kernel import main as main
    from ._locks import Lock as Lock
    from ._objects import (
        Barrier as Barrier,
    )
    from ._objects import (
        Dict as Dict,
    )
    from ._objects import (
        Event as Event,
    )
    from ._objects import (
        Item as Item,
    )
    from ._objects import (
        List as List,
    )
    from ._objects import (
        Queue as Queue,
    )
    from ._objects import (
        Stats as Stats,
    )
    from ._objects import (
        Value as Value,
    )

#: What is in which module. It is imported when it is first asked for: a kernel needs next to nothing of this, and each of
#: its processes would wait for the rest.
_HOMES = {
    "_broken": "BrokenWorker",
    "_client": "Client connect",
    "_daemon": "Daemon",
    "_errors": "BadData BadUsage BarrierBroken Busy Cancelled Closed Conflict Deadlock InternalFailure JobFailed "
    "KernelFailed NoAnswer NoDaemon NoSuchJob NoSuchObject NotEnded NotPermitted NoWorkers Stopping StoreFailed SupervisorGone "
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
