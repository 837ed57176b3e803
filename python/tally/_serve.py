"""A worker process of an executor: it is told what to call, and tells what came of it.

The daemon starts it as the command of a job with one partition, and ends it when the job or the executor does. It must
never write to what was its standard output but the one line that ends its job well: what calls print goes where the
executor's own output goes.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import traceback

# As few as can be: every worker of every executor waits for these.
from multiprocessing import process, resource_tracker, spawn
from pickle import PicklingError
from typing import Any, Callable, List, Tuple

from . import _frames, _knock
from ._frames import (
    CALL,
    QUIT,
    RAISED,
    READY,
    RESULT,
    SETUP,
    TRACKER,
    UNINITIALIZED,
    UNPREPARED,
    UNREAD,
    dumps,
    loads,
    send,
)

#: Where the executor's secret and its addresses, a line each, are: in the environment, which only this user can read.
SECRET, ADDRESSES = "TALLY_EXECUTOR_SECRET", "TALLY_EXECUTOR_ADDRESSES"
#: How the line begins with which a process ends that did not find the executor.
UNREACHED = "could not reach the executor: "
#: Room for the descriptors that may come with a set-up, and later: a tracker's.
SETUP_ROOM, LATER_ROOM = socket.CMSG_SPACE(253 * 4), socket.CMSG_SPACE(4)

#: Descriptors that came along for what is unpickled next.
_passed: List[int] = []


class PassedFd:
    """A descriptor within what was pickled for a worker that is about to begin: it goes beside the bytes."""

    def __init__(self, index: int) -> None:
        self._index = index

    def detach(self) -> int:
        """The descriptor, here."""
        return _passed[self._index]


def main(number: str) -> None:
    """Serves the executor that has had this process started, as its worker ``number``."""
    answer = os.dup(1)
    secret, addresses = bytes.fromhex(os.environ.pop(SECRET)), os.environ.pop(ADDRESSES).split("\n")
    try:
        connection = _knock.reach([address.replace("@", "\0", 1) for address in addresses], secret, int(number))
    except _knock.Unreachable as why:
        sys.exit(UNREACHED + str(why))
    worker = _Worker(connection)
    if worker.begin():
        worker.serve()
    # The partial of the job that this process is.
    os.write(answer, b"0\n")
    # The connection stays open until the process has ended: what runs at its end has run before the executor hears of it.
    connection.detach()


def call_chunk(function: Callable[..., Any], chunk: Tuple[tuple, ...]) -> list:
    """Several calls of ``map`` as one."""
    return [function(*arguments) for arguments in chunk]


class _Worker:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pid = os.getpid()
        self._rest = b""
        self._room = SETUP_ROOM

    def begin(self) -> bool:
        """Becomes like the executor's process: paths, arguments, main module, then the initializer."""
        kind, body = self._receive()
        if kind != SETUP:
            return False
        preparation, initialize = loads(body)
        try:
            process.current_process()._inheriting = True  # type: ignore[attr-defined]
            spawn.prepare(preparation)
            function, arguments = loads(initialize)
        except BaseException:
            send(self._connection, UNPREPARED, traceback.format_exc().encode())
            traceback.print_exc()
            return False
        finally:
            del process.current_process()._inheriting  # type: ignore[attr-defined]
        if function is not None:
            try:
                function(*arguments)
            except BaseException as error:
                from concurrent.futures import _base

                _base.LOGGER.critical("Exception in initializer:", exc_info=True)
                text = "".join(traceback.format_exception_only(type(error), error)).strip()
                send(self._connection, UNINITIALIZED, text.encode())
                return False
        send(self._connection, READY)
        return True

    def serve(self) -> None:
        """Call after call, until it may end or the executor is gone."""
        while True:
            kind, body = self._receive()
            if kind == QUIT:
                return
            if kind == CALL:
                self._call(body)

    def _call(self, body: bytes) -> None:
        try:
            function, arguments, keywords = loads(body)
        except BaseException:
            self._answer(UNREAD, traceback.format_exc().encode())
            return
        try:
            result = function(*arguments, **keywords)
        except BaseException as error:
            self._raised(error)
            return
        # Whatever they hold is given up before anybody can know that the call is over.
        del function, arguments, keywords
        try:
            data = dumps(result)
        except BaseException as error:
            self._raised(error)
            return
        del result
        self._answer(RESULT, data)

    def _answer(self, kind: bytes, data: bytes) -> None:
        """Tells what came of a call. A child that a call has forked ends where the call does: it is not who was asked."""
        if os.getpid() != self._pid:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0 if kind == RESULT else 1)
        send(self._connection, kind, data)

    def _raised(self, error: BaseException) -> None:
        from concurrent.futures.process import _ExceptionWithTraceback

        def told(one: BaseException) -> bytes:
            text = "".join(traceback.format_exception(type(one), one, one.__traceback__))
            return dumps((text, dumps(_ExceptionWithTraceback(one, one.__traceback__))))  # type: ignore[arg-type]

        trace = error.__traceback__
        try:
            data = told(error)
        except BaseException as why:
            # As ProcessPoolExecutor: instead of what cannot be pickled comes the reason; its traceback has both.
            error.__traceback__ = trace
            try:
                data = told(why)
            except BaseException:
                # They may be one and the same.
                error.__traceback__ = trace
                plain = PicklingError(f"what the call raised cannot be pickled: {type(error).__name__}: {error}")
                plain.__cause__ = error
                data = told(plain)
        self._answer(RAISED, data)

    def _receive(self) -> Any:
        """The next frame. The end of the connection is that of the executor: there is nobody to serve any more."""
        header = self._take(_frames.HEADER.size)
        kind, length = _frames.HEADER.unpack(header)
        body = self._take(length)
        if kind == TRACKER:
            _share_tracker(_passed.pop())
            return self._receive()
        if kind == SETUP:
            self._room = LATER_ROOM
            _take_over_output()
        return kind, body

    def _take(self, count: int) -> bytes:
        if len(self._rest) < count:
            pieces, missing = [self._rest], count - len(self._rest)
            while missing > 0:
                data, beside, _, _ = self._connection.recvmsg(max(missing, 1 << 16), self._room)
                if not data:
                    os._exit(0)
                for _, _, packed in beside:
                    _passed.extend(struct.unpack(f"{len(packed) // 4}i", packed))
                pieces.append(data)
                missing -= len(data)
            self._rest = b"".join(pieces)
        data, self._rest = self._rest[:count], self._rest[count:]
        return data


def _take_over_output() -> None:
    """Standard output and error become those of the executor's process, which come first."""
    sys.stdout.flush()
    sys.stderr.flush()
    for place in (1, 2):
        fd = _passed.pop(0)
        os.dup2(fd, place)
        os.close(fd)


def _share_tracker(fd: int) -> None:
    """Shared memory and semaphores are kept account of by the tracker of the executor's process, as of any child of it."""
    tracker = resource_tracker._resource_tracker
    if tracker._fd is None:  # type: ignore[attr-defined]
        tracker._fd = fd  # type: ignore[attr-defined]
    else:
        os.close(fd)
