"""Kernels in Python: a function from a range to a partial, run by the daemon's workers.

The persistent protocol: a line ``start end partition attempt`` in, a line with the partial out, until the input ends.
Nothing but partials may be on standard output, so what else the program prints goes to standard error; and nobody but this
may read what is asked, so the program's standard input is empty then. An exception ends
the program with its traceback and status 1, and the daemon blames the range it had.
"""

from __future__ import annotations

import atexit
import json
import numbers
import os
import sys
import traceback
from typing import IO, Any, Callable, Dict, List

from ._numbers import float_of, line_of, text_of

#: Of a function's code: it takes any number of positional arguments; calling it runs nothing (generators, ``async``).
VARIADIC, LATER = 0x04, 0x20 | 0x80 | 0x200

#: The kernels of each module, by its name.
_registered: Dict[str, List[Callable[..., Any]]] = {}
_main_was_called = False


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Marks the function that folds one partition: ``f(start, end)``, the range half-open.

    It may also take ``partition`` and ``attempt``. It returns an integer of any size, a float (``nan`` included), or for
    ``tally reduce`` a dict with a number for each reduction. ``tally.main()`` runs it. Raises ``TypeError`` for what
    cannot be called so.
    """
    _count_of_arguments(function)
    module = sys._getframe(1).f_globals.get("__name__", "")
    if module == "__main__" and module not in _registered:
        atexit.register(_complain_of_no_main)
    _registered.setdefault(module, []).append(function)
    return function


def main() -> None:
    """Runs the kernel of this program, if it is the one that was started; where it is imported it does nothing.

    With arguments, ``START END``, it folds one range and prints the partial: ``--command 'python k.py {start} {end}'``.
    """
    global _main_was_called
    if sys._getframe(1).f_globals.get("__name__") != "__main__":
        return
    _main_was_called = True
    # Those of the program itself; where it has none, what it has imported.
    found = _registered.get("__main__") or [one for several in _registered.values() for one in several]
    if not found:
        raise RuntimeError("there is no kernel: mark a function with @tally.kernel")
    if len(found) > 1:
        raise RuntimeError(f"there are {len(found)} kernels, {' and '.join(map(_name, found))}: mark one of them")
    sys.exit(_run(found[0], sys.argv[1:]))


def _complain_of_no_main() -> None:
    """At the end of a program that was started to answer and has not, since nothing has its kernel do so."""
    # What ended it otherwise, it has said; and where nobody asks, it need not answer.
    if not _main_was_called and not hasattr(sys, "last_value") and "TALLY_JOB" in os.environ:
        name = _name(_registered["__main__"][0])
        print(f"nothing runs the kernel {name}: the program must end with tally.main()", file=sys.stderr)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", None) or repr(function)


def _run(function: Callable[..., Any], arguments: list) -> int:
    call = _with_what_it_takes(function)
    # The descriptor itself, for what extensions and children write.
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)
    if sys.stderr is not None:
        sys.stdout = sys.stderr
    lines = [" ".join(arguments)] if arguments else _lines(_taken_from_stdin())
    for line in lines:
        try:
            partial = _line_of_partial(call(*map(int, line.split())))
        except Exception:
            traceback.print_exc()
            return 1
        try:
            out.write(partial + "\n")
            out.flush()
        except BrokenPipeError:
            # Nobody wants the answer any more.
            return 1
    return 0


def _taken_from_stdin() -> IO[str]:
    """What is asked, which nobody else is to read: what the function calls has an empty standard input."""
    asked = os.fdopen(os.dup(0), encoding="ascii")
    empty = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(empty, 0)
    os.close(empty)
    return asked


def _lines(source: IO[str]):
    """Line by line as they come: iterating would read ahead."""
    while True:
        line = source.readline()
        if not line:
            return
        yield line


def _with_what_it_takes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Leaves out what the function does not ask for."""
    count = _count_of_arguments(function)

    def call(start: int, end: int, partition: int = 0, attempt: int = 1) -> Any:
        return function(*(start, end, partition, attempt)[:count])

    return call


def _count_of_arguments(function: Callable[..., Any]) -> int:
    """How many of start, end, partition and attempt it takes. Raises ``TypeError`` for what cannot be a kernel."""
    if not callable(function):
        raise TypeError(f"a kernel is a function, not {function!r}")
    code = getattr(function, "__code__", None)
    if code is None:
        # Anything else that can be called is given the range.
        return 2
    if code.co_flags & LATER:
        raise TypeError(f"the kernel {_name(function)} is not called by being called: it must be a plain function")
    # A method has what it belongs to already.
    bound = 1 if getattr(function, "__self__", None) is not None else 0
    takes = code.co_argcount - bound
    needs = takes - len(function.__defaults__ or ())  # type: ignore[attr-defined]
    by_name = set(code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount])
    by_name -= set(function.__kwdefaults__ or ())  # type: ignore[attr-defined]
    count = 4 if code.co_flags & VARIADIC else min(takes, 4)
    if count < 2 or needs > 4 or by_name:
        raise TypeError(f"the kernel {_name(function)} must take start and end, and may take partition and attempt")
    return count


def _line_of_partial(partial: Any) -> str:
    if isinstance(partial, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{_member(one)}" for key, one in partial.items()) + "}"
    if isinstance(partial, numbers.Integral):
        return text_of(int(partial))
    if isinstance(partial, numbers.Real):
        return float.__repr__(float_of(partial))
    raise TypeError(f"a partial is an int, a float or a dict of these, not {type(partial).__name__}: {partial!r}")


def _member(value: Any) -> str:
    """A number in an object; as text where JSON has no word for it. ``None`` is that there is none."""
    if value is None:
        return "null"
    if not isinstance(value, numbers.Real):
        raise TypeError(f"a partial is an int, a float or a dict of these, not of {type(value).__name__}: {value!r}")
    text = line_of(value)
    return text if text[-1].isdigit() else f'"{text}"'
