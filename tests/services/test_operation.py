import csv
import io
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from register_world import MPAN, ROOT, Served, caller_of

from fmar_spark.cli import main
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.agreements import create_agreement
from fmar_spark.services.register.bodies import NewAgreement, NewOverride
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.derived import LakeDerived
from fmar_spark.services.register.ledger import Actor, verify_ledger
from fmar_spark.services.register.operation import export_versions
from fmar_spark.services.register.overrides import declare_override
from fmar_spark.services.register.records import change_of
from fmar_spark.services.register.sample import SAMPLE_MPAN, SAMPLE_PARTIES, fill_register, write_sample_lake

STEPS = (
    "0001_tables",
    "0002_guards",
    "0003_evidence",
    "0004_uploads",
    "0005_audit_retention",
    "0006_row_faults",
    "0007_rejected_rows",
    "0008_disputes",
    "0009_redaction",
)
HEADER = "mpan_id,amsid,market,primacy_tier,is_exclusive,valid_from_at"


SERVE = [sys.executable, "-c", "import sys; from fmar_spark.cli import main; sys.exit(main(['serve', *sys.argv[1:]]))"]


class Done(NamedTuple):
    """What a command gave and said."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def operate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The operator's commands, without a terminal."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(url: str, *arguments: str) -> Done:
        capsys.readouterr()
        status = main(["register", *arguments, "--database", url])
        return Done(status, *capsys.readouterr())

    return run


def test_an_operators_day(tmp_path: Path, operate: Callable[..., Done]) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'register.db'}"
    early = operate(url, "verify")
    assert (early.returncode, "no register answers at" in early.stderr, early.stderr.count("\n")) == (2, True, 1)
    unasked = operate(url, "migrate")
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []
    assert operate(url, "migrate", "--yes").stdout == f"register: done: {', '.join(STEPS)}\n"
    assert operate(url, "add-party", "ALPHA", "--name", "Alpha", "--role", "fsp", "--client", "alpha").returncode == 0
    changed = operate(url, "add-party", "ALPHA", "--name", "Beta", "--role", "fsp")
    assert (changed.returncode, "name: 'Alpha' -> 'Beta'" in changed.stderr) == (2, True)

    for party_id, name, client in (("", "Nobody", "x"), ("BETA", "", "x"), ("BETA", "Beta", "a b")):
        nameless = operate(url, "add-party", party_id, "--name", name, "--role", "fsp", "--client", client, "--yes")
        assert (nameless.returncode, nameless.stderr.count("\n")) == (2, 1)

    file = tmp_path / "rows.csv"
    file.write_text(f"{HEADER}\n{MPAN},A1,dso_local,1,true,2026-01-01T00:00:00Z\n{MPAN},=A2,dso_local,1,true,2026-01-01T00:00:00Z\n")
    assert operate(url, "import", str(file), "--fsp", "ALPHA").returncode == 2
    tried = operate(url, "import", str(file), "--fsp", "ALPHA", "--dry-run")
    assert (tried.returncode, "line 3: amsid" in tried.stdout, "checked: 2 rows, 1 accepted" in tried.stdout) == (1, True, True)
    assert operate(url, "import", str(file), "--fsp", "ALPHA", "--mode", "partial", "--yes").returncode == 1

    evidence = tmp_path / "evidence.csv"
    evidence.write_text(
        f"basis,fsp_id,mpan_id,amsid,reference\nallocation,ALPHA,{MPAN},A1,register 7\nconsent,,{MPAN},,C-1\nallocation,,{MPAN},A1,open\n"
    )
    assert operate(url, "claims").stdout == f"claimed  ALPHA  {MPAN}  A1\n"
    assert operate(url, "load-evidence", str(evidence)).returncode == 2
    tried = operate(url, "load-evidence", str(evidence), "--dry-run")
    assert (tried.returncode, "line 4: evidence-too-wide" in tried.stdout, "checked: 2 created" in tried.stdout) == (1, True, True)
    assert operate(url, "claims", "--state", "verified").stdout == ""
    assert operate(url, "load-evidence", str(evidence), "--yes").returncode == 1
    assert "0 created, 0 amended, 2 unchanged" in operate(url, "load-evidence", str(evidence), "--yes").stdout
    assert operate(url, "claims").stdout == f"verified  ALPHA  {MPAN}  A1\n"
    assert operate(url, "dispute", "ALPHA", MPAN, "A1", "--reference", "letter of 4 May", "--yes").stdout == "ALPHA A1: disputed\n"
    wrong = operate(url, "approve", "ALPHA", "12", "A1", "--reference", "x", "--yes")
    assert (wrong.returncode, wrong.stderr.startswith("register: mpan_id: ")) == (2, True)

    out = tmp_path / "out.csv"
    assert operate(url, "export", "agreement", "--out", str(out)).returncode == 0
    assert [row["amsid"] for row in csv.DictReader(out.open())] == ["A1"]
    assert operate(url, "export", "agreement", "--out", str(out)).returncode == 2
    out.chmod(0o644)
    assert operate(url, "export", "agreement", "--out", str(out), "--yes").returncode == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    kept = operate(url, "subject", MPAN)
    assert (kept.returncode, kept.stdout.split(";")[0]) == (0, "4 versions name it")
    spaced = operate(url, "subject", f"{MPAN[:2]} {MPAN[2:]}")
    assert spaced.stdout == kept.stdout
    slip = operate(url, "subject", MPAN[:-1])
    assert (slip.returncode, "12 characters found" in slip.stderr, MPAN[:-1] in slip.stderr) == (2, True, False)
    early = operate(url, "subject", MPAN, "--redact", "--yes")
    assert (early.returncode, "kept " in early.stderr, MPAN in early.stderr) == (2, True, False)
    whole = operate(url, "verify")
    anchor = whole.stdout.split()[-1]
    assert (whole.returncode, whole.stdout.startswith("whole: 6 entries")) == (0, True)
    assert operate(url, "verify", "--anchor", anchor).returncode == 0
    broken = operate(url, "verify", "--anchor", f"2:{'0' * 64}")
    assert (broken.returncode, "BROKEN  ledger: seq 2" in broken.stdout) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "/nowhere.csv", "--fsp", "ALPHA", "--dry-run"], "cannot be read: No such file"),
        (["import", "/nowhere.csv", "--fsp", "NOBODY", "--dry-run"], "no such party"),
        (["import", "/nowhere.csv", "--fsp", "NESO", "--dry-run"], "takes no part as an FSP"),
        (["verify", "--anchor", "x"], "SEQ:HASH wanted"),
        (["verify", "--anchor", f"²:{'0' * 64}"], "SEQ:HASH wanted"),
        (["verify", "--anchor", f"{'9' * 5000}:{'0' * 64}"], "SEQ:HASH wanted"),
        (["export", "party", "--out", "/nowhere/party.csv"], "cannot be written"),
    ],
)
def test_an_operators_mistakes_are_one_clear_line(
    served: Served, url: str, arguments: list[str], said: str, operate: Callable[..., Done]
) -> None:
    done = operate(url, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unreachable_database_is_one_clear_line(operate: Callable[..., Done], capsys: pytest.CaptureFixture[str]) -> None:
    done = operate("postgresql://nobody@127.0.0.1:9/none", "verify")
    assert (done.returncode, done.stderr.count("\n"), "no register answers at" in done.stderr) == (2, 1, True)
    for issuer in ("development", "configured"):
        assert main(["serve", "--issuer", issuer, "--database", "postgresql://nobody@127.0.0.1:9/none"]) == 2
        said = capsys.readouterr().err
        assert (said.count("\n"), "no register answers at" in said) == (1, True)


def test_exported_text_is_no_formula(database: RegisterDatabase) -> None:
    caller = caller_of("ALPHA")
    place = {"mpan_id": MPAN, "amsid": "A1", "valid_from_at": "2026-01-01T00:00:00Z"}
    agreement = NewAgreement(**place, market="dso_local", primacy_tier=1, is_exclusive=True)
    override = NewOverride(
        **place, asset_class="ev", direction="import", parameter="rated_kw", value=7, unit="kW", reason='=HYPERLINK("http://x")'
    )
    with change_of(database, EVERYTHING, Actor("ALPHA", "alpha-client")) as change:
        create_agreement(change, caller, agreement.model_dump())
        declare_override(change, caller, override.model_dump())
    text = io.StringIO()
    assert export_versions(database, "override", text) == 1
    assert next(csv.DictReader(io.StringIO(text.getvalue())))["reason"] == '\'=HYPERLINK("http://x")'


def test_the_sample_is_filled_once(served: Served, tmp_path: Path) -> None:
    fill_register(served.database)
    entries = verify_ledger(served.database).entries
    fill_register(served.database)
    assert verify_ledger(served.database).entries == entries
    write_sample_lake(tmp_path)
    assert [found.tier for found in LakeDerived(str(tmp_path)).find_detections(SAMPLE_MPAN)] == ["medium", "high"]


def without_curl(text: str) -> str:
    """What the service prints, with requests that only print themselves."""
    return f"curl() {{ echo curl; }}\n{text}"


def test_serve_prints_tokens_that_work_and_is_rejected_outside_local(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--env", "azure"]) == 2
    assert capsys.readouterr().err == "serve: development issuer: rejected in environment 'azure'; it is for local alone\n"
    assert main(["serve", "--env", "azure", "--issuer", "configured"]) == 2

    port = 18_431
    place = ["--port", str(port), "--database", f"sqlite:///{tmp_path / 'r.db'}", "--lake", str(tmp_path)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*SERVE, *place], stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
        try:
            assert process.stdout is not None
            lines = []
            while not (lines and lines[-1].startswith("# Every endpoint")):
                lines.append(process.stdout.readline())
            pasted = subprocess.run(["bash", "-e"], input=without_curl("".join(lines)), capture_output=True, text=True)
            assert (pasted.returncode, pasted.stderr) == (0, "")
            exports = [line.split()[1].partition("=") for line in lines if line.startswith("export ")]
            tokens = {name: token for name, _, token in exports}
            assert set(tokens) == {plan.party_id for plan in SAMPLE_PARTIES}
            transport = httpx.HTTPTransport(retries=20)
            with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                headers = {"Authorization": f"Bearer {tokens['SOUTHERN']}"}
                answer = client.get("/v1/agreements", params={"mpan_id": SAMPLE_MPAN}, headers=headers)
            assert [row["market"] for row in answer.json()["items"]] == ["dso_local"]
        finally:
            process.terminate()
            process.wait(30)
    assert SAMPLE_MPAN not in (tmp_path / "log").read_text()
