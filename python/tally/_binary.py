"""Where the program ``tally`` is: the one place to change when a wheel carries it."""

from __future__ import annotations

import os
import shutil

from ._errors import SystemFailure

#: Where a wheel that carries the program has it.
BUNDLED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "tally")


def find() -> str:
    """``TALLY_BINARY``, then the one beside this package, then the one on ``PATH``."""
    named = os.environ.get("TALLY_BINARY")
    if named:
        return named
    if os.access(BUNDLED, os.X_OK):
        return BUNDLED
    found = shutil.which("tally")
    if found is None:
        raise SystemFailure(
            "could not find the program tally: it is neither beside this package nor on PATH",
            hint="install it, or name it in TALLY_BINARY",
        )
    return found
