import base64
import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "audit_packages.py"
PINS = "one-thing==1.2 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
PINS += "other_thing==3 ; python_version >= '3.11'\nother_thing==2 ; python_version < '3.11'\nthird==1 ; sys_platform == 'win32'\n"
CONTENT = b"pass"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    """The script, not run."""
    spec = importlib.util.spec_from_file_location("audit_packages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def install(folder: Path, name: str, version: str, recorded: str) -> None:
    """A package of one file, whose record says so and so."""
    about = folder / f"{name}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (about / "RECORD").write_text(f"{name}.py,sha256={recorded},4\n{name}.pyc,,\n", encoding="utf-8")
    (folder / f"{name}.py").write_bytes(CONTENT)


def test_pins_are_read_with_their_hashes(audit: ModuleType) -> None:
    assert audit.read_pins(PINS) == {"one-thing": ("1.2", 2), "other-thing": ("3", 0)}


def test_what_is_not_as_pinned_is_named(audit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "one_thing", "1.2", base64.urlsafe_b64encode(hashlib.sha256(CONTENT).digest()).rstrip(b"=").decode())
    install(tmp_path, "changed", "2.0", "0" * 43)
    found = list(importlib.metadata.distributions(path=[str(tmp_path)]))
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: found)
    assert audit.find_faults(audit.read_pins(PINS)) == [
        "changed: 2.0 installed, no such package pinned",
        "changed: changed.py is not the file that was installed",
        "other-thing: pinned without a hash",
    ]
