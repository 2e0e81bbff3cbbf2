"""What goes into the intake comes out of it, accepted or rejected, however it is damaged."""

import random
from pathlib import Path

import fuzz_intake
import pytest

from fmar_spark.intake.dip.files import read_units


def test_damaged_messages_are_accepted_or_rejected_each_once_and_those_around_them_stand(tmp_path: Path) -> None:
    found = fuzz_intake.fuzz_messages(1000, seed=7, folder=tmp_path)
    assert found.files == len(list(tmp_path.iterdir()))
    assert found.messages == found.accepted + found.rules.total()
    assert min(found.accepted, found.rules.total(), found.intact) > 50
    assert found.lost == 0


@pytest.mark.filterwarnings("error")
def test_damaged_tables_are_read_or_rejected_in_one_line() -> None:
    outcomes, rows = fuzz_intake.fuzz_tables(100, seed=7)
    assert outcomes.total() == 100
    assert outcomes[fuzz_intake.READ] > 50
    assert rows["rows_read"] > rows["rows_quarantined"] > 0


def test_a_message_that_is_lost_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_intake, "read_units", lambda *given: list(read_units(*given))[1:])
    with pytest.raises(fuzz_intake.Disagreement, match="messages, "):
        fuzz_intake.fuzz_messages(50, seed=1)


def test_the_same_seed_damages_the_same_way() -> None:
    assert fuzz_intake.write_damaged(random.Random(3)) == fuzz_intake.write_damaged(random.Random(3))
