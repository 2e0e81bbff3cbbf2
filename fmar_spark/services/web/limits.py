"""How often one caller may ask: a bucket of tokens for each, refilled at an even rate.

Own code where the package `limits` could stand: its store in memory keeps every caller that it ever saw until a thread of its own
removes them, starts that thread anew for each request (0.8 ms where requests come apart, against 3 microseconds here), and offers
windows alone, so that a rejected caller is sent away for a whole window. Here at most 10,000 callers are remembered.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from fmar_spark.services.web.problems import TooManyError

_MOST_BUCKETS: Final = 10_000


class Allowance(NamedTuple):
    """What is left to a caller."""

    burst: int
    """Requests at once after a pause."""
    left: int
    seconds_to_full: int
    """Until the whole burst is there again."""
    seconds_of_burst: int
    """In which an empty bucket fills."""

    def describe(self) -> dict[str, str]:
        """As headers (draft-ietf-httpapi-ratelimit-headers-10)."""
        return {
            "RateLimit-Policy": f'"requests";q={self.burst};w={self.seconds_of_burst}',
            "RateLimit": f'"requests";r={self.left};t={self.seconds_to_full}',
        }


class RateLimit:
    """Counts within one service; several services each allow the rate."""

    def __init__(self, per_minute: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """All buckets begin full: ``burst`` requests at once, then ``per_minute``."""
        self._per_second = per_minute / 60
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: str) -> Allowance:
        """Count one request of a caller; what is left to it.

        Raises:
            TooManyError: the bucket is empty; Retry-After says for how long.
        """
        with self._lock:
            now = self._clock()
            left, at = self._buckets.pop(caller, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._per_second)
            is_allowed = left >= 1
            self._buckets[caller] = (left - 1 if is_allowed else left, now)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        left -= is_allowed
        seconds = [max(1, math.ceil(amount / self._per_second)) for amount in (self._burst - left, self._burst)]
        allowance = Allowance(int(self._burst), max(0, int(left)), *seconds)
        if not is_allowed:
            wait = max(1, math.ceil((1 - left) / self._per_second))
            headers = {"Retry-After": str(wait), **allowance.describe()}
            raise TooManyError("too-many-requests", f"try again in {wait} s", headers=headers)
        return allowance
