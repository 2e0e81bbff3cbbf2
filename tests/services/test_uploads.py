import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from register_world import LONDON_MPAN, MPAN, Served, serve
from sqlalchemy import select, text

from fmar_spark.services.register import uploads
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.csv_rows import AGREEMENT_COLUMNS, check_file, defuse, read_rows
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import verify_ledger
from fmar_spark.services.register.tables import UPLOADS
from fmar_spark.services.web.problems import InvalidError

HEADER = ",".join([*AGREEMENT_COLUMNS.required, "valid_to_at"])


def line(amsid: str, **changes: str) -> str:
    cells = {
        "mpan_id": MPAN,
        "amsid": amsid,
        "market": "dso_local",
        "primacy_tier": "1",
        "is_exclusive": "true",
        "valid_from_at": "2026-01-01T00:00:00Z",
        "valid_to_at": "",
        **changes,
    }
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells.values())
    return buffer.getvalue().rstrip()


def send(served: Served, content: bytes | str | Iterator[bytes], party_id: str = "ALPHA", **asked: Any) -> Any:
    headers = {"Content-Type": "text/csv; charset=utf-8", **asked.pop("headers", {})}
    return served.call(party_id, "POST", "/v1/uploads", content=content, headers=headers, params=asked)


def report(served: Served, upload: dict[str, Any]) -> list[tuple[int, str, str | None]]:
    rows = served.call("ALPHA", "GET", f"/v1/uploads/{upload['upload_id']}/rows").json()["items"]
    return [(row["line"], row["outcome"], row["rule"]) for row in rows]


def stored(served: Served) -> list[str]:
    return [row["amsid"] for row in served.call("OFFICE", "GET", "/v1/agreements").json()["items"]]


MIXED = "\n".join([HEADER, line("A1"), line("A2", market="dso"), line("A1"), "", line("A3", mpan_id=LONDON_MPAN)]) + "\n"


def test_all_or_nothing_stores_nothing_when_one_row_is_rejected(served: Served) -> None:
    answer = send(served, MIXED, headers={"Idempotency-Key": "mixed"})
    problem = answer.json()
    assert (answer.status_code, problem["type"], answer.headers["Content-Type"]) == (
        422,
        "urn:fmar:problem:upload-rejected",
        "application/problem+json",
    )
    assert problem["detail"].startswith("1 of 4 rows rejected, so nothing was stored; ")
    upload = problem["upload"]
    counts = {name: upload[f"rows_{name}"] for name in ("read", "accepted", "unchanged", "valid", "rejected")}
    assert (upload["state"], counts) == ("rejected", {"read": 4, "accepted": 0, "unchanged": 1, "valid": 2, "rejected": 1})
    assert report(served, upload) == [(2, "valid", None), (3, "rejected", "market"), (4, "unchanged", None), (6, "valid", None)]
    assert stored(served) == []
    again = send(served, MIXED, headers={"Idempotency-Key": "mixed"})
    assert (again.status_code, again.json(), again.headers["Location"]) == (422, problem, answer.headers["Location"])
    assert served.call("ALPHA", "GET", answer.headers["Location"]).json() == upload


def test_partial_stores_what_the_rules_allow_and_the_same_file_again_changes_nothing(served: Served) -> None:
    served.create("BRAVO", amsid="A3", mpan_id=LONDON_MPAN)
    upload = send(served, MIXED, mode="partial").json()
    assert upload["state"] == "partly_applied"
    assert report(served, upload)[-1] == (6, "rejected", "exclusive_overlap")
    assert "BRAVO" not in served.call("ALPHA", "GET", f"/v1/uploads/{upload['upload_id']}/rows").text
    assert stored(served) == ["A3", "A1"]
    again = send(served, MIXED, mode="partial").json()
    assert (again["rows_accepted"], again["rows_unchanged"], again["rows_rejected"]) == (0, 2, 2)
    rejected = served.call("ALPHA", "GET", f"/v1/uploads/{again['upload_id']}/rows", params={"only_rejected": True}).json()["items"]
    assert [row["line"] for row in rejected] == [3, 6]
    assert verify_ledger(served.database).breaks == ()


@pytest.mark.parametrize("mode", ["all_or_nothing", "partial"])
def test_a_dry_run_checks_and_stores_nothing(served: Served, mode: str) -> None:
    entries = verify_ledger(served.database).entries
    answer = send(served, MIXED, mode=mode, dry_run=True)
    assert answer.status_code == (422 if mode == "all_or_nothing" else 200)
    upload = answer.json().get("upload", answer.json())
    assert (upload["state"], upload["rows_accepted"], upload["is_dry_run"]) == ("checked", 2, True)
    assert (stored(served), verify_ledger(served.database).entries) == ([], entries)
    items = served.call("ALPHA", "GET", f"/v1/uploads/{upload['upload_id']}/rows").json()["items"]
    assert [(row["outcome"], row["agreement_id"]) for row in items] == [
        ("accepted", None),
        ("rejected", None),
        ("unchanged", None),
        ("accepted", None),
    ]
    assert upload["problem"] == ("1 of 4 rows rejected, so nothing would be stored" if mode == "all_or_nothing" else None)


@pytest.mark.parametrize("mode", ["all_or_nothing", "partial"])
def test_of_six_uploads_under_one_key_at_once_one_runs(served_at_once: Served, mode: str) -> None:
    content = "\n".join([HEADER, *(line(f"A{number:05d}") for number in range(2000))]) + "\n"
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: send(served_at_once, content, mode=mode, headers={"Idempotency-Key": "one"}), range(6)))
    done = [answer.json() for answer in answers if answer.status_code == 201]
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert (len(done) + len(waiting), len(done) >= 1) == (6, True), [answer.text for answer in answers]
    assert all(answer == done[0] for answer in done)
    assert {answer.json()["type"] for answer in waiting} <= {"urn:fmar:problem:request-in-progress"}
    assert all(answer.headers["Retry-After"] and answer.json()["upload_id"] == done[0]["upload_id"] for answer in waiting)
    assert send(served_at_once, content, mode=mode, headers={"Idempotency-Key": "one"}).json() == done[0]
    with served_at_once.database.reading(EVERYTHING) as connection:
        assert connection.execute(select(UPLOADS.c.state)).scalars().all() == ["applied"]
    assert len(stored(served_at_once)) == 100
    assert verify_ledger(served_at_once.database).entries == 10 + 2000


def test_an_upload_that_failed_may_be_sent_again_under_its_key(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"Idempotency-Key": "again"}
    content = f"{HEADER}\n{line('A1')}\n"
    with monkeypatch.context() as broken:
        broken.setattr(uploads, "check_rows", _fail)
        assert send(served, content, headers=key).status_code == 500
    with served.database.reading(EVERYTHING) as connection:
        assert connection.execute(select(UPLOADS.c.state)).scalars().all() == ["interrupted"]
    assert send(served, content, headers=key).json()["state"] == "applied"


def test_more_files_at_once_than_the_service_takes_are_sent_away(database: RegisterDatabase, url: str) -> None:
    small = serve(database, url, max_uploads_at_once=1)
    content = f"{HEADER}\n{line('A1')}\n"
    with small.http:
        turns = small.http.app.state.service.uploads
        turns.acquire()
        answer = send(small, content)
        assert (answer.status_code, answer.json()["type"], answer.headers["Retry-After"]) == (
            503,
            "urn:fmar:problem:too-many-uploads",
            "10",
        )
        turns.release()
        assert [send(small, content).status_code for _ in range(3)] == [201, 201, 201]


def _fail(*_: object) -> None:
    raise RuntimeError("a disk is full")


def test_others_write_while_a_long_file_is_checked(served_at_once: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk of a trial, and of a file that is to be stored whole, is checked while another party's write goes through."""
    content = "\n".join([HEADER, *(line(f"A{number:05d}") for number in range(2000))]) + "\n"
    check, written = uploads.check_rows, []

    def check_and_write(*arguments: Any) -> Any:
        written.append(served_at_once.create("BRAVO", amsid=f"B{len(written)}")["agreement_id"])
        return check(*arguments)

    monkeypatch.setattr(uploads, "check_rows", check_and_write)
    assert send(served_at_once, content, dry_run=True).json()["state"] == "checked"
    assert len(written) == 2
    assert send(served_at_once, content).json()["state"] == "applied"
    assert len(written) == 4
    assert verify_ledger(served_at_once.database).breaks == ()


@pytest.mark.parametrize("is_verified", [False, True])
def test_what_changed_between_the_check_and_the_storing_counts(
    served_at_once: Served, monkeypatch: pytest.MonkeyPatch, is_verified: bool
) -> None:
    content = "\n".join([HEADER, line("A1"), line("A2"), line("A2", market="neso_bm")]) + "\n"
    check, taken = uploads.check_rows, []

    def check_then_take(*arguments: Any) -> Any:
        checked = check(*arguments)
        if not taken:
            taken.append(served_at_once.create("BRAVO", amsid="A2"))
        return checked

    if is_verified:
        served_at_once.record("allocation", amsid="A2")
    monkeypatch.setattr(uploads, "check_rows", check_then_take)
    answer = send(served_at_once, content)
    if is_verified:
        assert (answer.status_code, answer.json()["rows_accepted"]) == (201, 3)
        assert served_at_once.call("BRAVO", "GET", f"/v1/agreements/{taken[0]['agreement_id']}").json()["change"] == "displaced"
        return
    assert answer.status_code == 422
    assert report(served_at_once, answer.json()["upload"]) == [(2, "valid", None), (3, "rejected", "exclusive_overlap"), (4, "valid", None)]
    assert stored(served_at_once) == ["A2"]


def test_rows_of_one_file_are_held_against_each_other_across_chunks(served: Served) -> None:
    content = "\n".join([HEADER, line("SAME"), *(line(f"A{number:05d}") for number in range(2000)), line("SAME", primacy_tier="2")]) + "\n"
    for changes in ({"dry_run": True}, {}):
        answer = send(served, content, **changes)
        body = answer.json()
        assert report_of_rejected(served, body.get("upload", body)) == [(2003, "exclusive_overlap")]


def report_of_rejected(served: Served, upload: dict[str, Any]) -> list[tuple[int, str]]:
    path = f"/v1/uploads/{upload['upload_id']}/rows"
    return [(row["line"], row["rule"]) for row in served.call("ALPHA", "GET", path, params={"only_rejected": "true"}).json()["items"]]


def test_a_whole_good_file_is_applied_once_under_its_key(served: Served) -> None:
    content = "\n".join([HEADER, *(line(f"A{number:05d}") for number in range(2500))]) + "\n"
    first = send(served, content, headers={"Idempotency-Key": "file-1"})
    second = send(served, content, headers={"Idempotency-Key": "file-1"})
    assert (first.status_code, first.json()["state"], first.json()) == (201, "applied", second.json())
    assert send(served, MIXED, headers={"Idempotency-Key": "file-1"}).status_code == 422
    path = f"/v1/uploads/{first.json()['upload_id']}"
    assert served.call("ALPHA", "GET", path).json()["rows_accepted"] == 2500
    page = served.call("ALPHA", "GET", f"{path}/rows", params={"limit": 1000}).json()
    assert [row["line"] for row in page["items"]] == list(range(2, 1002))
    following = served.call("ALPHA", "GET", f"{path}/rows", params={"limit": 1000, "cursor": page["next_cursor"]}).json()
    assert following["items"][0]["line"] == 1002
    verified = verify_ledger(served.database)
    assert (verified.breaks, verified.entries) == ((), 10 + 2500)


HOSTILE_ROWS = [
    (line("=HYPERLINK(1)"), "amsid"),
    (line("+A1"), "amsid"),
    (line("-A1"), "amsid"),
    (line("@SUM(A1)"), "amsid"),
    (line("\tA1"), "amsid"),
    (line("A'; DROP TABLE ledger; --"), "amsid"),
    (line("A\u202e1"), "amsid"),
    (line("A" * 41), "amsid"),
    (line(""), "amsid"),
    (line("A1", mpan_id="2.00006E+12"), "mpan_id"),
    (line("A1", mpan_id="2000056535972"), "mpan_id"),
    (line("A1", mpan_id="２０００056535971"), "mpan_id"),
    (line("A1", mpan_id=f" {MPAN}"), "mpan_id"),
    (line("A1", market="DSO_LOCAL"), "market"),
    (line("A1", primacy_tier="0"), "primacy_tier"),
    (line("A1", primacy_tier="1.5"), "primacy_tier"),
    (line("A1", primacy_tier="1_0"), "primacy_tier"),
    (line("A1", primacy_tier="01"), "primacy_tier"),
    (line("A1", primacy_tier="+1"), "primacy_tier"),
    (line("A1", primacy_tier=" 1"), "primacy_tier"),
    (line("A1", primacy_tier="１"), "primacy_tier"),
    (line("A1", primacy_tier=""), "primacy_tier"),
    (line("A1", is_exclusive="yes"), "is_exclusive"),
    (line("A1", is_exclusive="1"), "is_exclusive"),
    (line("A1", is_exclusive="True"), "is_exclusive"),
    (line("A1", primacy_tier="9" * 5000), "primacy_tier"),
    (line("A1", is_exclusive="maybe"), "is_exclusive"),
    (line("A1", valid_from_at="01/02/2026"), "valid_from_at"),
    (line("A1", valid_from_at="2026-01-01T00:00:00"), "valid_from_at"),
    (line("A1", valid_from_at="1767225600"), "valid_from_at"),
    (line("A1", valid_from_at="9999-12-31T23:59:59-14:00"), "valid_from_at"),
    (line("A1", valid_to_at="2026-01-01T00:00:00Z"), "term"),
    (line("A1") + ",extra", "cells"),
    (MPAN, "cells"),
]


@pytest.mark.parametrize(("row", "rule"), HOSTILE_ROWS, ids=range(len(HOSTILE_ROWS)))
def test_hostile_rows_are_rejected_by_name(row: str, rule: str) -> None:
    rows = list(read_rows(io.BytesIO(f"{HEADER}\n{row}\n{line('GOOD')}\n".encode()), True))
    assert [([fault.rule for fault in found.faults], found.values is None) for found in rows] == [([rule], True), ([], False)]
    assert rows[0].line == 2
    assert MPAN not in str(rows[0].faults)
    assert "Value error" not in rows[0].faults[0].detail


def test_flags_may_stand_in_a_spreadsheets_capitals() -> None:
    rows = read_rows(io.BytesIO(f"{HEADER}\n{line('A1', is_exclusive='TRUE')}\n{line('A2', is_exclusive='FALSE')}\n".encode()), True)
    assert [row.values["is_exclusive"] for row in rows if row.values] == [True, False]


def test_rows_of_commas_alone_are_no_rows(served: Served) -> None:
    blanks = ",,,,,,\n , ,\t,,,,\n\n"
    upload = send(served, f"{HEADER}\n{line('A1')}\n{blanks}{line('A2')}\n{blanks}").json()
    assert (upload["state"], upload["rows_read"], upload["rows_rejected"]) == ("applied", 2, 0)
    assert [row[0] for row in report(served, upload)] == [2, 6]


@pytest.mark.parametrize("stray", ['"', f'"{"x" * 200_000}', '"A" '])
def test_a_stray_quote_rejects_its_line_and_no_other(stray: str) -> None:
    content = "\n".join([HEADER, line("A1"), stray + line("A2"), line("A3"), line("A4") + '"', line("A5"), ""]).encode()
    found = list(read_rows(io.BytesIO(content), True))
    assert [row.line for row in found] == [2, 3, 4, 5, 6]
    assert [row.faults[0].rule if row.faults else "" for row in found][:3] == ["", "unreadable", ""]
    assert found[4].values is not None


def test_a_cell_over_two_lines_rejects_both() -> None:
    content = "\n".join([HEADER, line("A1").replace("A1", '"A1\nA2"'), line("A3"), ""]).encode()
    found = [(row.line, [fault.rule for fault in row.faults]) for row in read_rows(io.BytesIO(content), True)]
    assert found == [(2, ["unreadable"]), (3, ["cells"]), (4, [])]


HOSTILE_FILES = {
    "UTF-16": (HEADER + "\n").encode("utf-16"),
    "Latin-1": f"{HEADER}\n{line('A1')}é\n".encode("latin-1"),
    "a cut character": f"{HEADER}\n".encode() + "é".encode()[:1],
    "NUL": f"{HEADER}\n\0\n".encode(),
    "semicolons": HEADER.replace(",", ";").encode(),
    "no header": f"{line('A1')}\n".encode(),
    "a column twice": f"{HEADER},amsid\n".encode(),
    "a column too many": f"{HEADER},fsp_id\n".encode(),
    "empty": b"",
    "a zip": b"PK\x03\x04" + bytes(range(256)),
}


@pytest.mark.parametrize("content", HOSTILE_FILES.values(), ids=HOSTILE_FILES.keys())
def test_hostile_files_are_rejected_whole(served: Served, content: bytes) -> None:
    answer = send(served, content)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2] in {"csv-encoding", "csv-header"}) == (422, True), answer.text


def test_a_byte_order_mark_windows_lines_and_any_order_of_columns_are_fine() -> None:
    header = ",".join(reversed(HEADER.split(",")))
    row = ",".join(reversed(line("A1").split(",")))
    content = b"\xef\xbb\xbf" + f"{header}\r\n{row}\r\n".encode()
    check_file(io.BytesIO(content), 10)
    assert [found.values["amsid"] for found in read_rows(io.BytesIO(content), True) if found.values] == ["A1"]


def test_too_much_is_rejected(database: RegisterDatabase, url: str) -> None:
    small = serve(database, url, max_upload_rows=3, max_upload_bytes=1024)
    with small.http:
        assert send(small, "\n".join([HEADER, *(line(f"A{number}") for number in range(4))]) + "\n").status_code == 413
        assert send(small, b"x" * 2000).status_code == 413
        assert (
            small.call(
                "ALPHA", "POST", "/v1/uploads", content=(b"x" * 600 for _ in range(3)), headers={"Content-Type": "text/csv"}
            ).status_code
            == 413
        )
        assert small.call("ALPHA", "POST", "/v1/uploads", json={}).status_code == 415


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_exported_cells_are_no_formulas(cell: str) -> None:
    assert defuse(cell) == f"'{cell}"
    assert defuse("A=1") == "A=1"


def test_an_encoding_fault_names_its_line() -> None:
    with pytest.raises(InvalidError, match="line 3"):
        check_file(io.BytesIO(f"{HEADER}\n{line('A1')}\n".encode() + b"\xff\n"), 10)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("mode", ["all_or_nothing", "partial"])
def test_after_an_upload_postgresql_knows_how_large_the_table_is(served: Served, mode: str) -> None:
    """Without statistics it reads every current version for a look-up of one meter point."""
    content = "\n".join([HEADER, *(line(f"A{number:05d}") for number in range(1500))]) + "\n"
    assert send(served, content, mode=mode).json()["state"] == "applied"
    with served.database.reading(EVERYTHING) as connection:
        rows = connection.execute(text("SELECT reltuples FROM pg_class WHERE relname = 'agreement_versions'")).scalar_one()
    assert rows == 1500
