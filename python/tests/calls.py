"""What the tests of the executor have called in workers."""

import concurrent.futures
import fcntl
import multiprocessing
import os
import signal
import sys
import threading

STATE = []


def square(x):
    return x * x


def die(number=signal.SIGKILL):
    os.kill(os.getpid(), number)
    # A signal for oneself is there before the call returns; nothing is ever returned.
    signal.pause()


def leave(status):
    os._exit(status)


def die_at_first(path, answer):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return answer
    die()


def die_at_first_of(path, number):
    return die_at_first(path, number) if number == 7 else number


def end_before_reading(path, deaths):
    """Has so many workers die when they are ready for their first call."""
    from tally import _serve

    with open(path, "ab") as file:
        file.write(b".")
        if file.tell() <= deaths:
            _serve._Worker.serve = lambda worker: die()


def pid(_=None):
    return os.getpid()


def ring(bell):
    """Says that it runs."""
    with open(bell, "wb", buffering=0) as pipe:
        pipe.write(b".")


def wait_at(gate, bell=None):
    if bell is not None:
        ring(bell)
    with open(gate) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
    return os.getpid()


def print_and_write(text):
    print(text)
    sys.stderr.write(text + " to stderr\n")
    os.write(1, (text + " by descriptor\n").encode())


def initialize(*values):
    STATE.extend(values)


def state():
    return STATE


def put_into(shared):
    shared.put(os.getpid())


def keep(shared):
    STATE.append(shared)


def put_into_kept(value):
    STATE[0].put(value)
    return value


def fail_to_initialize():
    raise ValueError("no luck")


def pid_of_child_that_sleeps(leave_session):
    child = os.fork()
    if child == 0:
        if leave_session:
            os.setsid()
        while True:
            signal.pause()
    return child


class Unpicklable(Exception):
    """Its own arguments are not those it is made with."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


def raise_unpicklable():
    raise Unpicklable(1, 2)


class WithLock(Exception):
    def __init__(self):
        super().__init__(threading.Lock())


def raise_with_lock():
    raise WithLock()


def raise_local():
    class Local(BaseException):
        pass

    raise Local("a class of nobody's")


class RaisesItself(Exception):
    def __reduce__(self):
        raise self


def raise_what_raises_itself():
    raise RaisesItself("bad luck")


def receive(connection):
    return connection.recv()


def first_of(name):
    from multiprocessing import shared_memory

    memory = shared_memory.SharedMemory(name=name)
    value = memory.buf[0]
    memory.close()
    return value


def nested():
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as inner:
        return inner.submit(square, 6).result()


def bytes_of(count):
    return b"x" * count


def length(data):
    return len(data)


def burn(bell=None):
    if bell is not None:
        ring(bell)
    while True:
        pass


def fork_and_return(number):
    """The child returns something else, and first."""
    child = os.fork()
    if child == 0:
        return -1
    os.waitpid(child, 0)
    return number


def fork_and_raise(number):
    """The child raises what nobody has asked for."""
    child = os.fork()
    if child == 0:
        os.execv("/nonexistent", ["nonexistent"])
    os.waitpid(child, 0)
    return number


def names_in_environment():
    return sorted(os.environ)
