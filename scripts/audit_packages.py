"""Checks, without a network, that the installed packages are those of constraints.txt and that their files are as they were built.

Whether a version has a known vulnerability needs a network: `pip-audit --require-hashes -r constraints.txt` says it.
"""

import base64
import hashlib
import importlib.metadata
import re
import sys
from pathlib import Path

from packaging.markers import Marker

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
OWN = "fmar-spark"


def read_pins(text: str) -> dict[str, tuple[str, int]]:
    """Version and number of hashes of every package of a compiled constraints file that this Python on this system wants."""
    blocks = re.findall(r"^([\w.-]+)==(\S+)(?: ; ([^\n\\]+))?([^\n]*(?:\n +[^\n]*)*)", text, re.MULTILINE)
    return {
        normalise(name): (version, block.count("--hash=sha256:"))
        for name, version, marker, block in blocks
        if not marker or Marker(marker).evaluate()
    }


def normalise(name: str) -> str:
    """A package's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_faults(pins: dict[str, tuple[str, int]]) -> list[str]:
    """What is pinned without hashes, installed without a pin or in another version, or changed since it was built."""
    faults = [f"{name}: pinned without a hash" for name, (_, hashes) in pins.items() if not hashes]
    for distribution in importlib.metadata.distributions():
        name = normalise(distribution.metadata["Name"])
        if name == OWN:
            continue
        wanted, _ = pins.get(name, ("", 0))
        if distribution.version != wanted:
            faults.append(f"{name}: {distribution.version} installed, {wanted or 'no such package'} pinned")
        faults += [f"{name}: {path} is not the file that was installed" for path in find_changed(distribution)]
    return sorted(faults)


def find_changed(distribution: importlib.metadata.Distribution) -> list[str]:
    """Files of a package whose content is not what its record says; compiled and unrecorded files are not looked at."""
    changed = []
    for file in distribution.files or ():
        path = Path(str(file.locate()))
        if file.hash is None or not path.is_file():
            continue
        digest = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, path.read_bytes()).digest()).rstrip(b"=").decode()
        if digest != file.hash.value:
            changed.append(str(file))
    return changed


def main() -> int:
    """0 all as pinned, 1 something is not."""
    pins = read_pins(CONSTRAINTS.read_text(encoding="utf-8"))
    faults = find_faults(pins)
    print(
        "\n".join(
            [*faults, f"{len(pins)} pins, {len(faults)} faults; known vulnerabilities were not looked up: pip-audit does, with a network"]
        )
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
