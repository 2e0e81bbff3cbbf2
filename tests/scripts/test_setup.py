"""How the set-up finds Python and Java, each function called on a machine that the test makes up."""

import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[2] / "scripts" / "setup"


def call(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A function of the set-up, which itself is not run."""
    functions = SETUP.read_text(encoding="utf-8").removesuffix("\nset_up\n")
    text = f"{functions}\nfmar_log=/dev/null\n{command}\n"
    base = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    program = ["bash", "-euo", "pipefail", "/dev/stdin"]
    return subprocess.run(program, input=text, env=base | environment, capture_output=True, text=True, check=False)


def write_program(path: Path, body: str) -> Path:
    """A small shell program in the place of another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def write_java(home: Path, version: str) -> Path:
    """A Java that says it is of that version."""
    write_program(home / "bin" / "java", f"echo 'openjdk version \"{version}\" 2025-04-15' >&2")
    return home


def test_a_shim_is_seen_through_to_the_interpreter_behind_it(tmp_path: Path) -> None:
    shim = write_program(tmp_path / "python3", f'exec "{sys.executable}" "$@"')
    found = call(f'resolve_python "{shim}"').stdout.strip()
    assert Path(found).samefile(sys.executable)
    assert found != str(shim)


def test_another_python_is_passed_over(tmp_path: Path) -> None:
    pretends = "import sys; sys.version_info = (3, 9, 0); exec(sys.argv[1])"
    old = write_program(tmp_path / "python3", f'exec "{sys.executable}" -c "{pretends}" "$2"')
    broken = write_program(tmp_path / "python", "exit 1")
    assert call(f'resolve_python "{old}"').stdout.strip() == ""
    assert call(f'resolve_python "{broken}"').stdout == ""


@pytest.mark.parametrize(
    ("version", "is_fit"), [("17.0.15", True), ("21.0.2", True), ("11.0.2", False), ("1.8.0_292", False), ("25", False)]
)
def test_java_from_17_to_21_is_fit(tmp_path: Path, version: str, is_fit: bool) -> None:
    home = write_java(tmp_path / "jdk", version)
    assert (call(f'is_java_fit "{home}/bin/java"').returncode == 0) is is_fit


def test_java_home_counts_before_the_path(tmp_path: Path) -> None:
    home = write_java(tmp_path / "jdk", "17.0.15")
    given = call('find_java && echo "$JAVA_HOME"', JAVA_HOME=str(home))
    assert given.stdout.strip() == str(home)


def test_without_java_and_without_rights_one_line_says_what_to_do(tmp_path: Path) -> None:
    for name in ("sed", "head"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    rejected = call("find_java() { return 1; }; install_packages() { return 1; }; require_java", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert rejected.returncode == 1
    assert rejected.stderr.splitlines()[-1] == (
        "setup: no Java 17 found and none could be installed; install it (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME"
    )


def test_without_python_one_line_says_what_to_do(tmp_path: Path) -> None:
    rejected = call(f'fmar_venv="{tmp_path}/venv"; list_pythons() {{ :; }}; install_packages() {{ return 1; }}; make_venv')
    assert rejected.returncode == 1
    assert rejected.stderr.startswith("setup: no Python 3.11 or 3.12 with venv found; install one")
    assert len(rejected.stderr.splitlines()) == 1


def test_a_step_that_fails_shows_its_last_lines_and_where_the_rest_is(tmp_path: Path) -> None:
    log = tmp_path / "setup.log"
    rejected = call(f'fmar_log="{log}"; quietly "fetching the jars" sh -c "seq 100; echo no network >&2; exit 3"')
    assert rejected.returncode == 1
    assert rejected.stderr.splitlines()[-2:] == ["no network", f"setup: fetching the jars failed; the whole of it is in {log}"]
    assert len(rejected.stderr.splitlines()) == 16
