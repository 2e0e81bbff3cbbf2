"""Who signs in the tests of the gateway."""

from functools import lru_cache
from pathlib import Path

from send_dip import Signer, load_signer


@lru_cache
def signer_of(keys: Path) -> Signer:
    """The sender whose keys lie in a folder: to read and check a private key takes longer than to sign."""
    return load_signer(keys)
