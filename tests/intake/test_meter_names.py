from pathlib import Path

import pytest

from fmar_spark.errors import InputError
from fmar_spark.intake.meter_names import read_meter_names


@pytest.mark.parametrize(
    "text",
    [
        "home 1\n1200000000011\n",
        "\ufeffseries_id\nhome 1\n\n  1200000000011 \nhome 1\n",
        'mpan_id,place\n"home 1",London\n1200000000011,Leeds',
    ],
)
def test_a_list_is_one_name_a_line_whatever_made_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "names.txt"
    path.write_text(text, encoding="utf-8")
    assert read_meter_names(path) == ("home 1", "1200000000011")


@pytest.mark.parametrize(("content", "said"), [(b"", "no meters listed"), (b"series_id\n", "no meters listed"), (b"\xff\xfe", "decode")])
def test_a_list_of_nothing_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^--meters: .*names\.txt: .*{said}"):
        read_meter_names(path)
