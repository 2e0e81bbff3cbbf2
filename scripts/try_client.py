"""Generates a client of the service with openapi-python-client, another project's generator, and lets it do a day's work.

    .venv/bin/python scripts/try_client.py --lake lake

The generator comes from PyPI into a virtual environment of its own, which is removed afterwards; the service is started on a copy of the
sample register over the lake's read model. Exit status 3 where PyPI cannot be reached.
"""

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final

import httpx
from benchmark_register import start_service

HERE: Final = Path(__file__).resolve().parent
GENERATOR: Final = "openapi-python-client==0.29.1"
PACKAGE: Final = "generated_client"
UNREACHABLE: Final = 3


def main(argv: list[str]) -> int:
    """Generate, work, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", type=Path, default=Path("lake"), help="a lake with gold tables, such as the demo's (default: lake)")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fmar_client_") as name:
        folder = Path(name)
        python = make_environment(folder / "environment")
        if python is None:
            return UNREACHABLE
        (folder / "lake").symlink_to(arguments.lake.resolve())
        with start_service(f"sqlite:///{folder / 'register.db'}", folder) as (base, tokens, _):
            (folder / "openapi.json").write_bytes(httpx.get(f"{base}/openapi.json").raise_for_status().content)
            generate(python, folder)
            parties = [f"{party}={token}" for party, token in tokens.items()]
            command = [str(python), str(HERE / "client_day.py"), base, PACKAGE, *parties]
            return subprocess.run(command, check=False, env={"PYTHONPATH": str(folder)}).returncode


def make_environment(folder: Path) -> Path | None:
    """The interpreter of a new environment with the generator; None where it cannot be installed, with the reason on standard error."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    found = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", GENERATOR], check=False, capture_output=True, text=True
    )
    if found.returncode:
        print(f"try_client: {GENERATOR}: {(found.stderr.strip().splitlines() or ['no word from pip'])[-1]}", file=sys.stderr)
        return None
    return python


def generate(python: Path, folder: Path) -> None:
    """The package of the client beside the document, with the generator's warnings on standard output."""
    options = ["--path", str(folder / "openapi.json"), "--output-path", str(folder / PACKAGE), "--meta", "none"]
    found = subprocess.run(
        [python.with_name("openapi-python-client"), "generate", *options], check=True, capture_output=True, text=True, cwd=folder
    )
    warnings = [line for line in (found.stdout + found.stderr).splitlines() if line.startswith("WARNING")]
    print("\n".join([f"client generated, {len(warnings)} operations left out by the generator", *warnings]), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
