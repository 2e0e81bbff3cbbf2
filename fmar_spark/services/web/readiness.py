"""Whether the service can work, asked apart from its work: a thread looks, and probes read what it saw last."""

import threading
import time
from collections.abc import Callable
from typing import Final

_LOOK_SECONDS: Final = 2.0
_STALE_SECONDS: Final = 15.0


class Readiness:
    """The last look at what the service needs."""

    def __init__(self, look: Callable[[], bool]) -> None:
        """Nobody looks before ``start``; ``look`` may block."""
        self._look = look
        self._is_ready = False
        self._seen_at = float("-inf")
        self._has_looked = threading.Event()
        self._is_ending = threading.Event()

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="readiness", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._is_ending.set()

    @property
    def has_looked(self) -> bool:
        """Whether there is an answer yet."""
        return self._has_looked.is_set()

    def wait(self) -> None:
        """Until the first look is over, or has taken too long."""
        self._has_looked.wait(_STALE_SECONDS)

    def is_ready(self) -> bool:
        """What was seen last; no where that is long ago, since then the look itself does not come back."""
        return self._is_ready and time.monotonic() - self._seen_at < _STALE_SECONDS

    def _run(self) -> None:
        while not self._is_ending.is_set():
            self._is_ready = self._look()
            self._seen_at = time.monotonic()
            self._has_looked.set()
            self._is_ending.wait(_LOOK_SECONDS)
