"""What is folded: ranges as text, files as descriptors that this process has opened, numbers from memory; for a command
that reads lines or files also texts and bytes from memory.

Files are opened here, with the rights of this process, and passed on; the daemon opens nothing by name.
"""

from __future__ import annotations

import decimal
import glob
import numbers
import os
import shutil
from typing import Any, Dict, Iterable, List, Optional

from ._errors import BadUsage
from ._numbers import is_float, line_of, text_of

#: Formats of memory by the letters of ``struct``.
_FORMATS = {"d": "f64le", "f": "f32le", "b": "i8", "B": "u8"}
_SIZES = {1: "8", 2: "16le", 4: "32le", 8: "64le"}


class Sources:
    """The sources of one job, open until ``close``."""

    def __init__(self, sources: Iterable[Any], request: Dict[str, Any]) -> None:
        self.fds: List[int] = []
        self._names: List[str] = []
        self._request = request
        #: What a command reads of them: ``lines``, ``files`` or nothing.
        self._feed: Optional[str] = request.get("command", {}).get("feed")
        #: Of the numbers in memory: whether there are decimals and floats, and an integer that is no float.
        self._decimals = self._floats = False
        self._no_float: Optional[int] = None
        try:
            for source in sources:
                self._add(source)
            self._choose_decimal()
            if not self._names:
                raise BadUsage("could not begin: there is no source")
            if self.fds and len(self.fds) != len(self._names):
                raise BadUsage("could not begin: a job folds ranges or files, not both")
        except BaseException:
            self.close()
            raise
        request["sources"] = self._names
        if self.fds:
            request["files"] = True

    def close(self) -> None:
        """Closes what was opened."""
        while self.fds:
            os.close(self.fds.pop())

    def __enter__(self) -> "Sources":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _add(self, source: Any) -> None:
        if isinstance(source, range):
            self._range(source)
        elif isinstance(source, str) and _is_range(source):
            self._names.append(source)
        elif isinstance(source, (str, os.PathLike)):
            self._files(os.fspath(source))
        elif hasattr(source, "fileno"):
            self._open_file(source)
        elif self._feed is not None:
            self._text(source)
        else:
            self._memory(source)

    def _range(self, source: range) -> None:
        step = str(source.step)
        if self._request.get("step", step) != step:
            raise BadUsage("could not begin: all ranges of a job have one step")
        if source.step != 1:
            self._request["step"] = step
        self._names.append(f"{source.start}..{source.stop}")

    def _files(self, name: str) -> None:
        names = [name]
        if any(mark in name for mark in "*?[") and not os.path.lexists(name):
            names = sorted(path for path in glob.glob(name) if os.path.isfile(path))
            if not names:
                raise BadUsage(f"could not find files for {name}: none matches")
        for name in names:
            try:
                opened = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError as why:
                hint = None if "/" in name else "a range looks like 0..100 or 1..=100"
                raise BadUsage(f"could not open {name}: no such file or directory", hint=hint) from why
            self._take(opened, name)

    def _open_file(self, source: Any) -> None:
        name = source.name if isinstance(getattr(source, "name", None), str) else "-"
        self._take(os.dup(source.fileno()), name)

    def _take(self, opened: int, name: str) -> None:
        """A regular file is passed as it is; what a pipe holds is read to its end first."""
        if os.path.isfile(f"/proc/self/fd/{opened}"):
            self.fds.append(opened)
        else:
            with os.fdopen(opened, "rb") as pipe, os.fdopen(self._in_memory(name), "wb") as spool:
                shutil.copyfileobj(pipe, spool)
        self._names.append(name)

    def _in_memory(self, name: str) -> int:
        """A file without a name, which stays open when this number of it is closed."""
        made = os.memfd_create(name.rpartition("/")[2][:200])
        self.fds.append(os.dup(made))
        return made

    def _text(self, source: Any) -> None:
        """What a command is to read as it is: bytes, or lines from a list."""
        if not isinstance(source, (bytes, bytearray, memoryview)):
            if self._feed == "files":
                raise TypeError(f"a file is a path, an open file or bytes, not {type(source).__name__}")
            source = b"".join(map(_line, source))
        with os.fdopen(self._in_memory("memory"), "wb") as out:
            out.write(source)
        self._names.append("memory")

    def _memory(self, source: Any) -> None:
        """Numbers: those of a buffer (``array``, NumPy) as they lie there, others as text, so that none is rounded."""
        try:
            view = memoryview(source)
        except TypeError:
            with os.fdopen(self._in_memory("numbers.txt"), "w") as lines:
                lines.writelines(self._number(value) + "\n" for value in source)
            self._names.append("numbers.txt")
            return
        letter = view.format.lstrip("@=<")
        format = _FORMATS.get(letter)
        if format is None and len(letter) == 1 and letter in "hiqlHIQLnN":
            format = ("u" if letter.isupper() else "i") + _SIZES[view.itemsize]
        if format is None or self._request.get("format", format) != format:
            raise BadUsage(f"could not read the numbers in {type(source).__name__}: format {view.format!r}")
        self._request["format"] = format
        with os.fdopen(self._in_memory("numbers"), "wb") as raw:
            raw.write(view.tobytes())
        self._names.append("numbers")


    def _number(self, value: Any) -> str:
        """A number as text, and what kinds of numbers there are."""
        if type(value) is float:
            self._floats = True
        elif isinstance(value, numbers.Integral):
            if self._no_float is None and not is_float(int(value)):
                self._no_float = int(value)
        elif isinstance(value, decimal.Decimal):
            self._decimals = True
        else:
            self._floats = True
        return line_of(value)

    def _choose_decimal(self) -> None:
        """Decimals are decimals, without being asked. What would be rounded is refused, unless it was asked for."""
        if "decimal" in self._request:
            return
        if self._decimals and self._floats:
            hint = "decimal=True takes floats as they are written, decimal=False decimals as the nearest floats"
            raise BadUsage("could not begin: there are decimals and floats, and no answer is exact for both", hint=hint)
        if self._decimals:
            self._request["decimal"] = True
        elif self._floats and self._no_float is not None:
            number = text_of(self._no_float)
            shown = number if len(number) <= 40 else f"{number[:20]}... ({len(number)} digits)"
            hint = "decimal=True takes all as they are written, decimal=False as the nearest floats"
            raise BadUsage(f"could not begin: there are floats, and no float has the value of {shown}", hint=hint)


def _line(one: Any) -> bytes:
    """A line with its end; a file that is iterated over has them already."""
    text = one if isinstance(one, bytes) else (one if isinstance(one, str) else line_of(one)).encode()
    return text if text.endswith(b"\n") else text + b"\n"


def _is_range(source: str) -> bool:
    return ".." in source and source[:1] in "+-0123456789" and source[:1] != ""
