"""Where bodies become durable before they are acknowledged, and how much of them may wait."""

from abc import ABC, abstractmethod
from typing import Final

from fmar_spark.services.web.problems import BusyError

AGAIN: Final = {"Retry-After": "5"}
"""Header of an answer that asks for the same request later."""


class Sink(ABC):
    """Takes bodies, and counts the bytes of those that are not answered yet."""

    stored: int = 0
    """Files or records written since the start."""

    def __init__(self, waiting_bytes: int) -> None:
        """Up to so many bytes may wait."""
        self._most_waiting = waiting_bytes
        self._waiting_bytes = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes of requests that are not answered yet."""
        return self._waiting_bytes

    def reserve(self, length: int) -> None:
        """Count bytes that arrive, until they are released.

        Raises:
            BusyError: more would wait than the settings allow.
        """
        if self._waiting_bytes + length > self._most_waiting:
            raise BusyError("backlog", "more arrives than is stored; send it again later", headers=AGAIN)
        self._waiting_bytes += length

    def release(self, length: int) -> None:
        """Bytes that were reserved are stored or given up."""
        self._waiting_bytes -= length

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the next body can be expected to become durable. May block."""

    @abstractmethod
    async def write(self, channel: str, body: bytes, *, is_joinable: bool) -> None:
        """Return once the body is durable.

        Args:
            channel: by which it came.
            body: an array of messages, or something else that the quarantine is to keep.
            is_joinable: whether it is an array of which every element is a message.

        Raises:
            BusyError: it cannot be stored now.
        """

    @abstractmethod
    def stop(self) -> None:
        """Store what waits, then end."""
