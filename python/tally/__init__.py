"""tally for Python: exact parallel reductions, shared things and an executor, over the daemon's workers.

``connect`` is a client of the daemon, ``Daemon`` a daemon of one's own, ``kernel`` and ``main`` make a function a kernel,
``Executor`` behaves as ``concurrent.futures.ProcessPoolExecutor``.
"""

from ._client import Client, connect
from ._daemon import Daemon
from ._errors import (
    BadUsage,
    BarrierBroken,
    BrokenWorker,
    Busy,
    Cancelled,
    Closed,
    Conflict,
    Deadlock,
    InternalFailure,
    JobFailed,
    KernelFailed,
    NoAnswer,
    NoDaemon,
    NoSuchJob,
    NoSuchObject,
    NotEnded,
    NotPermitted,
    NoWorkers,
    Stopping,
    StoreFailed,
    SupervisorGone,
    SystemFailure,
    TallyError,
    TimedOut,
    TooMany,
    VersionMismatch,
    WorkerKilled,
    WrongState,
)
from ._executor import Executor
from ._job import Job, Progress
from ._kernel import kernel, main
from ._locks import Lock
from ._objects import Barrier, Dict, Event, Item, List, Queue, Stats, Value
from ._version import __version__

__all__ = [name for name in dir() if not name.startswith("_")] + ["__version__"]
