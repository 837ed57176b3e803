"""``Executor``: ``concurrent.futures.ProcessPoolExecutor`` over the daemon's workers."""

from __future__ import annotations

import concurrent.futures
import functools
import itertools
import multiprocessing
import multiprocessing.spawn
import os
import threading
import weakref
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Tuple

from . import _place, _pool, _serve
from ._calls import Call
from ._crew import Crew
from ._worker import Worker


class Executor(concurrent.futures.Executor):
    """Calls functions in processes that the daemon starts, watches, limits and ends.

    It takes what ``ProcessPoolExecutor`` takes, and behaves as that does, with three differences. A call whose worker
    dies fails with ``BrokenWorker``, a ``BrokenProcessPool``, and no other does: the executor stays usable. Calls may be
    tried again after that: ``retries``, or ``retrying(n)`` for some of them. And no process outlives this one, however it
    ends.

    ``mp_context`` is for programs that pass one: processes are started afresh whatever it is, as with ``spawn``, so a
    function must be importable. ``socket`` names the daemon; with none there, a private one is started.
    ``options`` are those of a job, for each process: ``memory_limit`` in bytes, ``nice``, ``priority``.
    """

    def __init__(
        self,
        max_workers: Optional[int] = None,
        mp_context: Any = None,
        initializer: Optional[Callable[..., Any]] = None,
        initargs: Tuple[Any, ...] = (),
        *,
        max_tasks_per_child: Optional[int] = None,
        retries: int = 0,
        socket: Optional[_place.Path] = None,
        memory_limit: Optional[int] = None,
        nice: Optional[int] = None,
        priority: Optional[int] = None,
    ) -> None:
        if max_workers is None:
            max_workers = os.cpu_count() or 1
        elif max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if max_tasks_per_child is not None:
            if not isinstance(max_tasks_per_child, int):
                raise TypeError("max_tasks_per_child must be an integer")
            if max_tasks_per_child <= 0:
                raise ValueError("max_tasks_per_child must be >= 1")
        if mp_context is None:
            mp_context = multiprocessing.get_context("spawn" if max_tasks_per_child is not None else None)
        self._max_workers = max_workers
        self._mp_context = mp_context
        self._initialize = (initializer, tuple(initargs))
        self._max_tasks_per_child = max_tasks_per_child
        self._retries = _retries(retries)
        self._socket = socket
        limits = {"memory_limit_bytes": memory_limit, "nice": nice, "priority": priority}
        self._limits: Dict[str, Any] = {key: value for key, value in limits.items() if value is not None}
        self._lock = threading.Lock()
        self._pool: Optional[_pool.Pool] = None
        self._shut_down = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        return self._submit(self._retries, fn, args, kwargs)

    def map(
        self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: Optional[float] = None, chunksize: int = 1
    ) -> Iterator[Any]:
        """As ``map(fn, *iterables)``, in order; calls are made in chunks of ``chunksize``."""
        return _map(super(), fn, iterables, timeout, chunksize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more calls are taken. Those that wait are done first, or cancelled; then the processes end."""
        with self._lock:
            self._shut_down = True
            pool = self._pool
        if pool is not None:
            pool.close(cancel_futures)
            if wait and pool is not threading.current_thread():
                pool.join()

    def retrying(self, retries: int) -> "Retrying":
        """This executor for calls that may be tried again so often, if their worker dies.

        ``executor.retrying(2).submit(f, x)``. A call may then have happened in part, or as a whole, before it is made
        again: it should not matter how often it is.
        """
        return Retrying(self, _retries(retries))

    def kill_workers(self) -> None:
        """Ends all processes at once, with what they have started. Calls they had are lost; those that wait go on."""
        if self._pool is not None:
            self._pool.kill_workers()

    def _submit(self, retries: int, fn: Callable[..., Any], args: tuple, kwargs: dict) -> "Future[Any]":
        with self._lock:
            pool = self._pool
            if pool is not None and pool.broken is not None:
                raise BrokenProcessPool(pool.broken)
            if self._shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if _interpreter_ends:
                raise RuntimeError("cannot schedule new futures after interpreter shutdown")
            if pool is None:
                pool = self._pool = self._begin()
        # Not under the lock: what a call is made of may be pickled here, and may submit calls of its own.
        future: "Future[Any]" = Future()
        pool.submit(Call(future, fn, args, kwargs, retries))
        return future

    def _begin(self) -> _pool.Pool:
        # Before a process is started that nobody needs: it raises where the main module is only being imported.
        multiprocessing.spawn.get_preparation_data("tally-worker")
        crew = Crew(self._socket, self._max_workers, self._limits)
        try:
            pool = _pool.Pool(crew, self._max_workers, self._initialize, self._max_tasks_per_child)
            # The pool does not hold the executor: when nobody else does, it is shut down.
            pool.owner = weakref.ref(self, lambda _: pool.close(False))
            pool.start()
        except BaseException:
            crew.close()
            raise
        return pool

    # What looks into ProcessPoolExecutor finds here, too.

    @property
    def _processes(self) -> Dict[int, Worker]:
        return self._pool.workers if self._pool is not None else {}

    @property
    def _executor_manager_thread(self) -> Optional[_pool.Pool]:
        return self._pool

    @property
    def _broken(self) -> Any:
        return self._pool is not None and self._pool.broken or False


class Retrying(concurrent.futures.Executor):
    """An executor for calls that may be tried again; see ``Executor.retrying``."""

    def __init__(self, executor: Executor, retries: int) -> None:
        self._executor = executor
        self._retries = retries

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        return self._executor._submit(self._retries, fn, args, kwargs)

    def map(
        self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: Optional[float] = None, chunksize: int = 1
    ) -> Iterator[Any]:
        """As that of the executor; a chunk is tried again as a whole."""
        return _map(super(), fn, iterables, timeout, chunksize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shuts the executor down."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)


def _retries(retries: int) -> int:
    if not isinstance(retries, int) or retries < 0:
        raise ValueError("retries must be an integer, 0 or more")
    return retries


def _map(plain: Any, fn: Callable[..., Any], iterables: Any, timeout: Optional[float], chunksize: int) -> Iterator[Any]:
    if chunksize < 1:
        raise ValueError("chunksize must be >= 1.")
    if chunksize == 1:
        return plain.map(fn, *iterables, timeout=timeout)
    chunks = plain.map(functools.partial(_serve.call_chunk, fn), _chunks(zip(*iterables), chunksize), timeout=timeout)
    return _flat(chunks)


def _chunks(calls: Iterator[tuple], chunksize: int) -> Iterator[Tuple[tuple, ...]]:
    while chunk := tuple(itertools.islice(calls, chunksize)):
        yield chunk


def _flat(chunks: Iterator[list]) -> Iterator[Any]:
    """What is in lists, without keeping what was given out."""
    for chunk in chunks:
        chunk.reverse()
        while chunk:
            yield chunk.pop()


_interpreter_ends = False


def _at_end() -> None:
    """Before the interpreter waits for threads: calls that were submitted are done, then the pools end."""
    global _interpreter_ends
    _interpreter_ends = True
    pools = list(_pool._pools)
    for pool in pools:
        pool.close(False)
    for pool in pools:
        pool.join()


# As concurrent.futures does it: atexit would be too late, since threads are waited for before.
threading._register_atexit(_at_end)  # type: ignore[attr-defined]
