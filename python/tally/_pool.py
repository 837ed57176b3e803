"""The inside of an executor: calls that wait, workers that call them, and one thread that hears the workers.

| a worker is | it has | what happens next |
|---|---|---|
| starting | nothing | it connects, is set up, says that it is ready; or its process ends before |
| idle | nothing | it is given a call |
| busy | one call | it answers; or its process ends: the call is lost, or tried again if that was allowed |
| leaving | nothing | its process ends: it had as many calls as it may, or there are no more |

A worker has one call at a time and is sent no other ahead: so whoever dies takes exactly its own call along, a call that
has not begun can be cancelled, and none waits behind a long one while another worker is idle. Whoever submits a call to
an idle worker sends it itself; the thread is for what workers say.
"""

from __future__ import annotations

import collections
import os
import select
import socket
import threading
import traceback
import weakref
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Tuple

from . import _frames
from ._broken import BrokenWorker
from ._calls import UNREAD_MAX, Call, answer, remote
from ._crew import Crew, how_it_ended, unreached
from ._door import Door
from ._errors import SupervisorGone, TallyError
from ._frames import dumps
from ._proof import peer
from ._worker import Worker, setup

#: Processes that end before they are ready, one after the other, until that is taken for the rule.
STARTS_IN_VAIN_MAX = 10


class Pool(threading.Thread):
    """One executor's. It lives until it is shut down, or the executor is collected, and all its processes have ended."""

    def __init__(
        self,
        crew: Crew,
        workers_max: int,
        initialize: Tuple[Optional[Callable], tuple],
        calls_max: Optional[int],
    ) -> None:
        super().__init__(name="tally-executor")
        self.lock = threading.RLock()
        self.crew = crew
        self._workers_max = workers_max
        self._calls_max = calls_max
        self._kept_fds: List[int] = []
        self._setup = setup(initialize, self._kept_fds)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._epoll = select.epoll()
        for one in (self._wake_read, crew):
            self._epoll.register(one, select.EPOLLIN)
        self.door = Door(self._epoll, crew.socket)
        self.pending: Deque[Call] = collections.deque()
        #: Those that may get calls, by their numbers.
        self.workers: Dict[int, Worker] = {}
        self._leaving: Dict[int, Worker] = {}
        self._idle: List[Worker] = []
        self._starting = 0
        self._wanted: Deque[Worker] = collections.deque()
        self._connected: Dict[int, Worker] = {}
        self._last_number = 0
        self._in_vain = 0
        self.broken: Optional[str] = None
        self._closing = False
        self._killing = False
        #: Whoever submits calls; when that is collected, the pool is shut down.
        self.owner: Optional[weakref.ref] = None
        _pools.add(self)

    # For the executor, in any thread

    def submit(self, call: Call) -> None:
        """Takes a call in. It is sent at once if a worker is idle."""
        with self.lock:
            if self.broken is not None:
                raise BrokenProcessPool(self.broken)
            if self._closing:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._idle and not self.pending:
                worker = self._idle.pop()
                worker.call = call
                # Nobody has the future yet who could cancel it.
                call.begun = call.future.set_running_or_notify_cancel()
            else:
                self.pending.append(call)
                worker = None
                if self._staff():
                    # A process is started for it, so it is as good as running.
                    call.begun = call.future.set_running_or_notify_cancel()
                    self.wake()
        if worker is not None and not self._send_call(worker, call):
            self._give_next()

    def close(self, cancel: bool) -> None:
        """No more calls come. Those that wait are done first, or cancelled."""
        cancelled: List[Call] = []
        with self.lock:
            self._closing = True
            if cancel:
                cancelled = [call for call in self.pending if not call.begun]
                self.pending = collections.deque(call for call in self.pending if call.begun)
        for call in cancelled:
            if call.future.cancel():
                call.future.set_running_or_notify_cancel()
        self.wake()

    def kill_workers(self) -> None:
        """Ends every process at once, with what it has started."""
        with self.lock:
            self._killing = True
            # A call that comes now must not go to one who is about to be gone. Who is not started yet is not struck.
            for worker in self.workers.values():
                if worker.ready:
                    worker.leaving = True
            self._idle.clear()
        self.wake()

    def wake(self) -> None:
        """Has the thread look at what has changed."""
        try:
            os.write(self._wake_write, b"w")
        except (BlockingIOError, OSError):
            # It has not looked since the last times, or has ended.
            pass

    # The thread

    def run(self) -> None:
        try:
            while not self._is_over():
                self._start_wanted()
                for fd, events in self._epoll.poll():
                    self._hear(fd, events)
        except SupervisorGone as why:
            self._break(f"the daemon is gone: {why.message}")
            self._all_gone()
        except BaseException as why:
            self._break(f"the executor has a defect: {why!r}")
            self._all_gone()
            raise
        finally:
            self._end()

    def _hear(self, fd: int, events: int) -> None:
        if fd in self._connected:
            worker = self._connected[fd]
            if events & select.EPOLLOUT:
                with self.lock:
                    worker.send_rest(self._epoll)
            if events & ~select.EPOLLOUT:
                self._read(worker)
        elif self.door.holds(fd):
            known = self.door.hear(fd)
            if known is not None:
                self._meet(*known)
        elif fd == self._wake_read:
            os.read(self._wake_read, 4096)
        elif fd == self.crew.fileno():
            for number, view in self.crew.read():
                self._ended(number, view)

    def _is_over(self) -> bool:
        """Whether nothing is left to do. On the way there, workers that are not needed are let go."""
        with self.lock:
            if self._killing:
                self._killing = False
                self.crew.cancel([*self.workers, *self._leaving])
            if not self._closing and self.broken is None:
                return False
            if any(worker.call for worker in self.workers.values()):
                return False
            self._drop_cancelled()
            if self.pending:
                return False
            # Those that have not connected yet are not waited for.
            late = [number for number, worker in self.workers.items() if worker.connection is None]
            for worker in list(self.workers.values()):
                self._let_go(worker)
            unasked = [worker for worker in self._wanted if worker.number in late]
            for worker in unasked:
                self._wanted.remove(worker)
                self._leaving.pop(worker.number).gone.set()
            if late:
                self.crew.cancel(late)
            return not self._leaving

    def _drop_cancelled(self) -> None:
        """Calls that were cancelled while they waited are not waited for."""
        kept: Deque[Call] = collections.deque()
        for call in self.pending:
            if call.begun or not call.future.cancelled():
                kept.append(call)
            else:
                call.future.set_running_or_notify_cancel()
        self.pending = kept

    # Processes

    def _staff(self) -> bool:
        """Asks for another process if more calls wait than processes are about to be ready. Whether it has."""
        if self._starting >= len(self.pending) or len(self.workers) >= self._workers_max or self.broken:
            return False
        self._last_number += 1
        worker = Worker(self._last_number)
        self.workers[worker.number] = worker
        self._starting += 1
        self._wanted.append(worker)
        return True

    def _start_wanted(self) -> None:
        while True:
            with self.lock:
                if not self._wanted:
                    return
                worker = self._wanted.popleft()
            worker.told = self.door.widened
            self.crew.start(worker.number, self.door.addresses, self.door.secret)

    def _meet(self, number: int, connection: socket.socket, splitter: _frames.Splitter) -> None:
        """A process has come and said which it is."""
        worker = self.workers.get(number) or self._leaving.get(number)
        if worker is None or worker.connection is not None:
            self.door.hang_up(connection)
            return
        with self.lock:
            worker._pid = peer(connection)[0]
            worker.connection = connection
            worker.splitter = splitter
            self._connected[connection.fileno()] = worker
            fds = [1, 2, *self._kept_fds]
            self._say(worker, _frames.SETUP, self._setup, fds)
        if worker.leaving:
            self._say(worker, _frames.QUIT)

    def _let_go(self, worker: Worker) -> None:
        """It gets no more calls, and ends by itself."""
        self.workers.pop(worker.number, None)
        self._leaving[worker.number] = worker
        if worker in self._idle:
            self._idle.remove(worker)
        if not worker.ready:
            self._starting -= 1
            worker.ready = True
        if not worker.leaving:
            worker.leaving = True
            if worker.connection is not None:
                self._say(worker, _frames.QUIT)

    def _ended(self, number: int, view: Any) -> None:
        """The daemon says how a process has ended."""
        worker = self.workers.get(number) or self._leaving.get(number)
        if worker is None:
            return
        # What it said last counts: it may have answered and died then.
        if worker.connection is not None:
            self._read(worker, to_the_end=True)
        self._hang_up(worker)
        with self.lock:
            self.workers.pop(number, None)
            self._leaving.pop(number, None)
            if worker in self._idle:
                self._idle.remove(worker)
            was_ready, call = worker.ready, worker.call
            if not was_ready:
                self._starting -= 1
            worker.gone.set()
            worker.known.set()
        how = how_it_ended(view)
        if call is not None:
            self._lost(worker, call, how)
        if worker.reason is not None:
            self._break(worker.reason)
        elif not was_ready and (where := unreached(view)) is not None:
            # Another one is told of more places, if there are any.
            if worker.told == self.door.widened and not self.door.widen():
                self._break(f"no worker can reach this program: {where}")
        elif not was_ready and not _was_told_to(view):
            self._in_vain += 1
            fatal = isinstance(view, TallyError) and view.code != "too-many"
            if fatal or self._in_vain >= STARTS_IN_VAIN_MAX:
                self._break(f"no worker could be started: {how}")
        with self.lock:
            self._staff()

    def _lost(self, worker: Worker, call: Call, how: str) -> None:
        """A worker has died with a call."""
        worker.call = None
        begun = worker.sent
        if begun and worker.unread and call.unread < UNREAD_MAX:
            # It died idle, before it knew of this call: so another one gets it.
            call.unread += 1
            begun = False
        if begun and call.retries <= 0:
            message = f"the worker of this call (process {worker._pid}) has died: {how}"
            call.future.set_exception(BrokenWorker(message, pid=worker._pid))
            return
        if begun:
            call.retries -= 1
        with self.lock:
            self.pending.appendleft(call)
        self._give_next()

    # Calls and answers

    def _give_next(self) -> None:
        """Gives calls that wait to workers that are idle. Not under the lock: what a call is made of is asked to pickle."""
        while True:
            with self.lock:
                if not self._idle or not self.pending:
                    return
                call = self.pending.popleft()
                # Under the lock: the worker may die meanwhile, and its call be given to another one.
                call.begun = call.begun or call.future.set_running_or_notify_cancel()
                if not call.begun:
                    continue
                worker = self._idle.pop()
                worker.call = call
            self._send_call(worker, call)

    def _send_call(self, worker: Worker, call: Call) -> bool:
        """Sends a call to the worker that has it. False when it cannot be pickled: its future has heard of that."""
        try:
            data = dumps((call.function, call.arguments, call.keywords))
        except BaseException as error:
            error.__cause__ = remote(traceback.format_exc())
            with self.lock:
                if worker.call is not call:
                    # The worker has died meanwhile, and somebody else pickles it again.
                    return True
                self._free(worker)
            call.future.set_exception(error)
            return False
        with self.lock:
            if worker.connection is None or worker.call is not call:
                # Its end came in between, and will be told, or has been.
                return True
            fd = resource_tracker._resource_tracker._fd  # type: ignore[attr-defined]
            if not worker.tracked and fd is not None:
                worker.tracked = True
                self._say(worker, _frames.TRACKER, b"", [fd])
            worker.sent = True
            self._say(worker, _frames.CALL, data)
        return True

    def _read(self, worker: Worker, to_the_end: bool = False) -> None:
        """What a worker says."""
        assert worker.connection is not None
        while True:
            try:
                frames = worker.splitter.receive(worker.connection)
            except BlockingIOError:
                return
            except ConnectionResetError:
                # The system says that it has closed what held bytes of ours.
                worker.unread = True
                frames = None
            except OSError:
                frames = None
            if frames is None:
                # Its process has ended, or is about to: the daemon will say how.
                self._hang_up(worker)
                return
            for kind, body in frames:
                self._heard(worker, kind, body)
            if worker.connection is None or (frames and not to_the_end):
                return

    def _heard(self, worker: Worker, kind: bytes, body: _frames.Bytes) -> None:
        if kind == _frames.READY:
            with self.lock:
                self._in_vain = 0
                if not worker.leaving:
                    self._starting -= 1
                    worker.ready = True
                    self._free(worker)
            self._give_next()
            worker.known.set()
        elif kind in (_frames.UNPREPARED, _frames.UNINITIALIZED):
            what = "its initializer failed" if kind == _frames.UNINITIALIZED else "it could not be prepared"
            worker.reason = f"a worker could not begin, {what}: {bytes(body).decode(errors='replace')}"
        else:
            call = worker.call
            if call is None:
                return
            with self.lock:
                worker.calls += 1
                self._free(worker)
            # The worker first: it need not wait for what is made of its answer here.
            self._give_next()
            answer(call, kind, body)

    def _free(self, worker: Worker) -> None:
        """A worker has no call any more."""
        worker.call, worker.sent = None, False
        if worker.leaving or worker.connection is None:
            return
        if self._calls_max is not None and worker.calls >= self._calls_max:
            self._let_go(worker)
            if self._staff():
                self.wake()
            return
        self._idle.append(worker)

    # Bytes

    def _say(self, worker: Worker, kind: bytes, body: bytes = b"", fds: Sequence[int] = ()) -> None:
        worker.send(self._epoll, kind, body, fds)

    def _hang_up(self, worker: Worker) -> None:
        with self.lock:
            connection, worker.connection = worker.connection, None
            worker.unread |= bool(worker.unsent)
            worker.unsent = []
            if worker in self._idle:
                self._idle.remove(worker)
            if connection is not None:
                del self._connected[connection.fileno()]
                self._epoll.unregister(connection)
                connection.close()

    # The end

    def _break(self, why: str) -> None:
        """No call can be answered any more."""
        with self.lock:
            if self.broken is not None:
                return
            self.broken = why
            calls = list(self.pending)
            self.pending.clear()
            for worker in self.workers.values():
                if worker.call is not None:
                    calls.append(worker.call)
                    worker.call = None
            numbers = [*self.workers, *self._leaving]
        for call in calls:
            if call.begun or call.future.set_running_or_notify_cancel():
                call.future.set_exception(BrokenProcessPool(why))
        try:
            self.crew.cancel(numbers)
        except (OSError, TallyError):
            pass

    def _all_gone(self) -> None:
        with self.lock:
            workers = [*self.workers.values(), *self._leaving.values()]
            self.workers.clear()
            self._leaving.clear()
        for worker in workers:
            self._hang_up(worker)
            worker.known.set()
            worker.gone.set()

    def _end(self) -> None:
        self.crew.close()
        with self.lock:
            self._closing = True
            # Nobody is to hear any more that it was collected, least of all an interpreter that ends.
            self.owner = None
            self.door.close()
            self._epoll.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._wake_write = -1
            while self._kept_fds:
                os.close(self._kept_fds.pop())

    def forget(self) -> None:
        """In a forked child, where the thread is not."""
        self.lock = threading.RLock()
        self.broken = "this executor is that of the parent process"
        self.crew.forget()
        for worker in self._connected.values():
            if worker.connection is not None:
                worker.connection.close()
        self.door.close(keep=True)
        self._epoll.close()


def _was_told_to(view: Any) -> bool:
    """Whether a process has ended because somebody wanted that."""
    return not isinstance(view, TallyError) and view.get("state") == "cancelled"


_pools: "weakref.WeakSet[Pool]" = weakref.WeakSet()


def _forget_in_child() -> None:
    """In a forked child: workers are the parent's, and must not be kept by copies of what they live by."""
    for pool in list(_pools):
        pool.forget()
    _pools.clear()


os.register_at_fork(after_in_child=_forget_in_child)
