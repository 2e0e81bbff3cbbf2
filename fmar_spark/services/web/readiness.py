"""Whether the service can work, checked apart from its requests: a thread checks, and probes read its last result."""

import threading
import time
from collections.abc import Callable
from typing import Final

_CHECK_SECONDS: Final = 2.0
_STALE_SECONDS: Final = 15.0


class Readiness:
    """The last check of what the service needs."""

    def __init__(self, check: Callable[[], bool]) -> None:
        """Nothing is checked before ``start``; ``check`` may block."""
        self._check = check
        self._is_ready = False
        self._checked_at = float("-inf")
        self._has_checked = threading.Event()
        self._is_ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to check."""
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Check no more."""
        self._is_ending.set()
        if self._thread is not None:
            self._thread.join(_STALE_SECONDS)

    @property
    def has_checked(self) -> bool:
        """Whether there is a result yet."""
        return self._has_checked.is_set()

    def wait(self) -> None:
        """Until the first check is over, or has taken too long."""
        self._has_checked.wait(_STALE_SECONDS)

    def is_ready(self) -> bool:
        """The last result; no where that is long ago, since then the check itself hangs."""
        return self._is_ready and time.monotonic() - self._checked_at < _STALE_SECONDS

    def _run(self) -> None:
        while not self._is_ending.is_set():
            self._is_ready = self._check()
            self._checked_at = time.monotonic()
            self._has_checked.set()
            self._is_ending.wait(_CHECK_SECONDS)
