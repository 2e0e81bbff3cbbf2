"""Ids that sort by the time they were given, so that pages in the order of ids are pages in the order of creation."""

import uuid_utils


def new_id() -> str:
    """A version 7 UUID: milliseconds, a counter within the millisecond, the rest random."""
    return str(uuid_utils.uuid7())
