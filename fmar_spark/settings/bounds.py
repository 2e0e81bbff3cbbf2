"""Numbers on the command line of a script, within what it can do something with."""

import argparse
import math
from collections.abc import Callable


def whole_from(least: int, most: int | None = None) -> Callable[[str], int]:
    """A type for argparse: a whole number within these bounds, both inclusive."""
    wanted = f"a whole number from {least} on" if most is None else f"a whole number from {least} to {most}"

    def parse(text: str) -> int:
        number = int(text) if text.isascii() and text.removeprefix("-").isdecimal() else None
        if number is None or number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{text!r} found, {wanted} wanted")
        return number

    return parse


def parse_positive(text: str) -> float:
    """A type for argparse: a number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} found, a number above 0 wanted")
    return number
