"""Ids that sort by the time they were given, so that pages in the order of ids are pages in the order of creation."""

import os
import time
import uuid


def new_id() -> str:
    """A version 7 UUID: 48 bits of milliseconds, the rest random."""
    milliseconds = time.time_ns() // 1_000_000
    tail = int.from_bytes(os.urandom(10), "big")
    number = (milliseconds & (2**48 - 1)) << 80 | tail
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return str(uuid.UUID(int=number))
