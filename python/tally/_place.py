"""Where the daemon's control socket is: the search of the command line."""

from __future__ import annotations

import os
from typing import Optional, Tuple, Union

Path = Union[str, "os.PathLike[str]"]


def search(socket: Optional[Path] = None) -> Tuple[Optional[str], bool]:
    """The socket, and whether somebody named it: then a daemon has to be there.

    The argument, then ``TALLY_SOCKET``, then ``/run/tally/tally.sock`` for root, else
    ``$XDG_RUNTIME_DIR/tally/tally.sock``; ``None`` when that variable is not set.
    """
    named = socket if socket is not None else os.environ.get("TALLY_SOCKET") or None
    if named is not None:
        return os.fspath(named), True
    if os.geteuid() == 0:
        return "/run/tally/tally.sock", False
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return (os.path.join(runtime, "tally", "tally.sock") if runtime else None), False
