"""The shape of the repository: names, imports, entry points and sizes as the style asks for."""

import ast
import importlib
import importlib.metadata
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from fmar_spark.cli.declaring import DECLARED, NAMES

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = sorted((ROOT / "fmar_spark").rglob("*.py"))
JOBS = sorted((ROOT / "jobs").glob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SOURCES = [*PACKAGE, *JOBS, *SCRIPTS, *TESTS]

FORBIDDEN_STEMS = {"utils", "util", "misc", "common", "helpers", "base", "core", "manager", "handler"}
TWINS = {"types", "io", "logging", "json", "mlflow", "delta", "spark", "numpy"}
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS, MAX_NESTING = 400, 60, 6, 3
FREE_TEST_FOLDERS = {"worlds", "scripts", "jobs", "notebooks", "end_to_end"}
"""Folders of tests that mirror no sub-package."""
DEPENDENCY_OF_MODULE = {
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "delta": "delta-spark",
    "starlette": "fastapi",
    "py4j": "pyspark",
    "databricks": "databricks-bundles",
    "PIL": "pillow",
    "xdist": "pytest-xdist",
}
RUN_BY_NAME = {
    "setuptools",
    "ruff",
    "mypy",
    "import-linter",
    "pandas-stubs",
    "scipy-stubs",
    "types-pyyaml",
}
"""Tools, and types for mypy."""
EXTRAS_OF_ROOM = {
    "app": {"spark"},
    "commands": {"spark", "train", "report", "serve"},
    "engine": {"spark"},
    "engine/lake_sql": {"report"},
    "intake/dip": {"spark"},
    "intake/network": {"spark"},
    "local/charts": {"report"},
    "steps": {"spark", "train"},
    "transforms": {"spark"},
    "learning": {"train", "report"},
    "report": {"report"},
    "evaluation": {"report", "train"},
    "services": {"serve"},
    "services/gateway": {"serve", "kafka"},
}
"""What must be installed beside the wheel's own needs for a room to be imported; the others need nothing more."""


BLOCKS = (ast.stmt, ast.excepthandler, ast.match_case)
"""Nodes in which statements may stand."""


def relative(path: Path) -> str:
    """The path from the root of the repository."""
    return str(path.relative_to(ROOT))


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file's syntax tree."""
    return tuple(ast.walk(parse(path)))


@cache
def functions_of(path: Path) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
    """Every function and method of a file."""
    return tuple(node for node in nodes_of(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def measure_nesting(node: ast.AST, depth: int = 0) -> int:
    """Deepest nest of blocks inside a function; an elif is no deeper than its if, an inner function counts for itself."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, BLOCKS) or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        opens = isinstance(child, ast.For | ast.While | ast.With | ast.Try | ast.If) and not is_elif
        deepest = max(deepest, measure_nesting(child, depth + opens))
    return deepest


@cache
def imported_roots(path: Path) -> set[str]:
    """First part of every module that a file imports."""
    roots: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            roots |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add((node.module or "").split(".")[0])
    return roots


def test_no_module_has_a_name_that_says_nothing_or_hides_another() -> None:
    stems = {relative(path): path.stem for path in [*PACKAGE, *JOBS, *SCRIPTS]}
    folders = {relative(path): path.name for path in (ROOT / "fmar_spark").rglob("*") if path.is_dir()}
    named = stems | folders
    assert [name for name, stem in named.items() if stem in FORBIDDEN_STEMS | TWINS] == []
    assert [name for name, stem in named.items() if set(stem.split("_")) & FORBIDDEN_STEMS] == []


def test_tests_mirror_the_package() -> None:
    packages = {path.name for path in (ROOT / "fmar_spark").iterdir() if (path / "__init__.py").exists()}
    astray = []
    for path in TESTS:
        folder = path.relative_to(ROOT / "tests").parts[0]
        if path.parent == ROOT / "tests" or folder in FREE_TEST_FOLDERS:
            continue
        modules = {module.stem for module in (ROOT / "fmar_spark" / folder).rglob("*.py")} if folder in packages else set()
        subject = path.stem.removeprefix("test_")
        is_of_a_module = any(subject == module or subject.startswith(f"{module}_") for module in modules)
        is_of_the_folder = any(re.search(rf"fmar_spark\.{folder}\b", line) for line in path.read_text(encoding="utf-8").splitlines())
        if path.name.startswith("test_") and not (is_of_a_module or is_of_the_folder):
            astray.append(relative(path))
    assert astray == []


@pytest.mark.parametrize("path", JOBS, ids=[path.stem for path in JOBS])
def test_a_job_is_a_command_for_spark_submit_and_nothing_more(path: Path) -> None:
    command = next(command for command, job in NAMES.items() if job == path.stem)
    assert path.read_text(encoding="utf-8") == (
        f'"""``fmar {command}`` for spark-submit."""\n\nimport sys\n\nfrom fmar_spark.cli import main\n\n'
        f'if __name__ == "__main__":\n    sys.exit(main(["{command}", *sys.argv[1:]]))\n'
    )
    assert not (path.parent / "__init__.py").exists()


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_a_command_takes_what_its_declaration_gives(name: str) -> None:
    body = getattr(importlib.import_module(f"fmar_spark.commands.{DECLARED[name].module}"), DECLARED[name].function)
    given = [(one.name, one.annotation) for one in inspect.signature(DECLARED[name].options).parameters.values()]
    parameters = list(inspect.signature(body).parameters.values())[1:]
    taken = [(one.name, one.annotation) for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD]
    wanted = [(name, get_args(kind)[0]) for name, kind in given]
    assert taken == (wanted if len(taken) == len(parameters) else wanted[: len(taken)])


def test_help_starts_neither_spark_nor_a_model() -> None:
    program = "import sys; from fmar_spark.cli import main; main([NAME, '--help']); print(sorted(sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", program.replace("NAME", "'characterise'")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(ast.literal_eval(said.stdout.splitlines()[-1]))
    assert loaded & {"pyspark", "pandas", "pyarrow", "sklearn", "scipy", "mlflow", "fastapi"} == set()


def test_every_import_stands_at_the_top() -> None:
    inside = [
        f"{relative(path)}:{node.lineno}"
        for path in PACKAGE
        for node in nodes_of(path)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(function.lineno < node.lineno <= (function.end_lineno or 0) for function in functions_of(path))
    ]
    assert inside == []


def test_nothing_hides_its_annotations() -> None:
    hidden = [
        relative(path) for path in SOURCES if re.search(r"^from __future__ |^\s*if TYPE_CHECKING", path.read_text(encoding="utf-8"), re.M)
    ]
    assert hidden == []


def test_an_exemption_states_its_reason() -> None:
    bare = []
    for path in SOURCES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            has_exemption = re.search(r"#\s*(noqa|type: ignore)", line)
            if has_exemption and not re.search(r"# (noqa: [A-Z]+\d+ - \w|type: ignore\[[\w, -]+\]\s+# \w)", line):
                bare.append(f"{relative(path)}:{number}")
    assert bare == []


def test_a_skip_states_its_reason() -> None:
    bare = [
        f"{relative(path)}:{node.lineno}"
        for path in TESTS
        for node in nodes_of(path)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"skip", "skipif", "xfail"}
        and ast.unparse(node.func) in {"pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail", "pytest.skip"}
        and not (any(word.arg == "reason" for word in node.keywords) or (ast.unparse(node.func) == "pytest.skip" and node.args))
    ]
    assert bare == []


def test_files_functions_and_their_parameters_stay_small() -> None:
    large = [relative(path) for path in SOURCES if len(path.read_text(encoding="utf-8").splitlines()) > MAX_FILE_LINES]
    for path in [*PACKAGE, *JOBS, *SCRIPTS]:
        for function in functions_of(path):
            name = f"{relative(path)}: {function.name}"
            if (function.end_lineno or 0) - function.lineno + 1 > MAX_FUNCTION_LINES:
                large.append(f"{name} is longer than {MAX_FUNCTION_LINES} lines")
            if count_parameters(function) > MAX_PARAMETERS and not (is_route(function) or is_command(path, function)):
                large.append(f"{name} takes more than {MAX_PARAMETERS} parameters")
            if measure_nesting(function) > MAX_NESTING:
                large.append(f"{name} is nested deeper than {MAX_NESTING}")
    assert large == []


def count_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Parameters that a caller gives."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def is_route(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a web framework calls it: its parameters are what a request consists of."""
    return any("router." in ast.unparse(decorator) for decorator in function.decorator_list)


def is_command(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the command line calls it: its parameters are the command's options."""
    return (path.parent.name == "commands" and function.name.startswith("run")) or any(
        "declare_" in ast.unparse(decorator) for decorator in function.decorator_list
    )


def test_an_error_says_what_was_found_and_where() -> None:
    own = {"ConfigError", "ContractError", "InputError", "ModelError"}
    unclear = [
        f"{relative(path)}:{node.lineno}"
        for path in PACKAGE
        for node in nodes_of(path)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and ast.unparse(node.exc.func) in own
        and isinstance(node.exc.args[0], ast.JoinedStr | ast.Constant)
        and not re.search(r"[:;] .", ast.unparse(node.exc.args[0]))
    ]
    assert unclear == []


def test_the_folder_mlflow_does_not_hide_the_package() -> None:
    assert list((ROOT / "mlflow").rglob("*.py")) == []
    found = subprocess.run(
        [sys.executable, "-c", "import importlib.util; print(importlib.util.find_spec('mlflow').origin)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "site-packages" in found.stdout


def test_spark_and_delta_are_the_versions_that_fit_together() -> None:
    assert importlib.metadata.version("pyspark") == "4.1.1"
    assert importlib.metadata.version("delta-spark") == "4.3.1"
    assert {"pyspark==4.1.1", "delta-spark==4.3.1"} <= {block.split()[0] for block in read_pins()}
    assert "io.delta:delta-spark_4.1_2.13:4.3.1" in (ROOT / "conf" / "spark-defaults.conf").read_text(encoding="utf-8")


def read_requirements() -> dict[str, set[str]]:
    """Names of the packages that setup.py asks for, by extra; '' = always."""
    call = next(node for node in ast.walk(parse(ROOT / "setup.py")) if isinstance(node, ast.Call) and ast.unparse(node.func) == "setup")
    given = {word.arg: word.value for word in call.keywords}
    by_extra = {"": ast.literal_eval(given["install_requires"]), **ast.literal_eval(given["extras_require"])}
    return {extra: {re.split(r"[\[<>=; ]", line)[0].lower() for line in lines} for extra, lines in by_extra.items()}


def test_the_wheel_asks_for_every_package_that_a_room_imports() -> None:
    required = read_requirements()
    missing = []
    for path in PACKAGE:
        place = path.relative_to(ROOT / "fmar_spark").with_suffix("").parts
        extras = EXTRAS_OF_ROOM.get("/".join(place[:2])) or EXTRAS_OF_ROOM.get(place[0]) or set()
        known = required[""].union(*(required[extra] for extra in extras))
        for root in imported_roots(path) - set(sys.stdlib_module_names) - {"fmar_spark", ""}:
            if DEPENDENCY_OF_MODULE.get(root, root).replace("_", "-").lower() not in known:
                missing.append(f"{relative(path)}: {root}")
    assert missing == []


def test_setup_asks_for_every_package_that_a_test_or_script_imports() -> None:
    required = set().union(*read_requirements().values())
    own = {"fmar_spark", "", *(path.stem for path in SOURCES), *(path.parent.name for path in SOURCES)}
    missing = [
        f"{relative(path)}: {root}"
        for path in SOURCES
        for root in imported_roots(path) - set(sys.stdlib_module_names) - own
        if DEPENDENCY_OF_MODULE.get(root, root).replace("_", "-").lower() not in required
    ]
    assert missing == []


def test_everything_that_is_asked_for_is_imported_or_run() -> None:
    files = [*SOURCES, *(ROOT / "notebooks").glob("*.py")]
    imported = {DEPENDENCY_OF_MODULE.get(root, root).replace("_", "-").lower() for path in files for root in imported_roots(path)}
    required = set().union(*read_requirements().values())
    assert sorted(required - imported - RUN_BY_NAME) == []


def test_without_extras_neither_spark_nor_mlflow_is_installed() -> None:
    assert read_requirements()[""] & {"pyspark", "delta-spark", "mlflow", "deltalake"} == set()


def read_pins() -> list[str]:
    """Every package of constraints.txt: its pin, where it is wanted, and its hashes."""
    return re.findall(r"^\S.*(?:\n .*)*", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_pin_has_hashes_and_what_setup_asks_for_is_pinned() -> None:
    assert [pin.split()[0] for pin in read_pins() if not re.search(r"--hash=sha256:[0-9a-f]{64}", pin)] == []
    pinned = {pin.split("==")[0] for pin in read_pins()}
    assert set().union(*read_requirements().values()) - pinned == set()


def test_every_pin_is_of_a_package_that_something_asks_for() -> None:
    pins = {pin.split("==")[0] for pin in read_pins()}
    needed = set().union(*read_requirements().values())
    for name in sorted(pins):
        try:
            lines = importlib.metadata.requires(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        needed |= {re.split(r"[\[<>=!~; (]", line)[0].lower().replace("_", "-") for line in lines}
    assert sorted(pins - needed) == []
