"""What becomes of a call whose worker dies."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from typing import Optional


class BrokenWorker(BrokenProcessPool):
    """The worker process of a call has died, or one side could not read what the other had sent.

    Only this call is lost: the others go on, and the executor stays usable.
    """

    def __init__(self, message: str = "", *, pid: Optional[int] = None) -> None:
        super().__init__(message)
        #: The process that died.
        self.pid = pid
