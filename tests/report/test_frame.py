import json
from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fmar_spark.report.frame import LARGEST_CODE, UNREAD, count_day, encode_power, pack, round_values, unpack, write_json


@given(st.text())
def test_no_text_can_end_a_script_element_and_every_text_comes_back(text: str) -> None:
    written = write_json({"name": text})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {"name": text}


def test_numbers_are_rounded_and_what_is_unknown_is_null() -> None:
    assert round_values([1.26, 2.0, None, np.nan, np.inf, -0.04], 1) == [1.3, 2, None, None, None, 0]
    assert json.dumps(round_values(np.array([2.0, 0.5]), 3)) == "[2, 0.5]"
    assert (count_day(date(1970, 1, 2)), count_day(None)) == (1, None)


@given(st.lists(st.one_of(st.just(np.nan), st.floats(-500, 500)), min_size=1, max_size=60))
def test_a_power_is_kept_to_one_percent_of_the_largest(values: list[float]) -> None:
    power = np.array(values)
    coded, largest = encode_power(power)
    codes = np.frombuffer(coded, dtype=np.int8).astype(float)
    np.testing.assert_array_equal(codes == UNREAD, np.isnan(power))
    back = np.sign(codes) * (codes / LARGEST_CODE) ** 2 * largest
    read = ~np.isnan(power)
    assert (np.abs(back[read] - power[read]) <= 0.008 * largest + 1e-9).all()


def test_a_pack_is_what_was_packed() -> None:
    header, body = {"name": "</script>", "values": [1, None]}, bytes(range(256))
    assert unpack(pack(header, body)) == (header, body)
    assert unpack(pack({}, b"")) == ({}, b"")
