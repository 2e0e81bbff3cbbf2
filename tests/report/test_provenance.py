import pytest

from fmar_spark.report.provenance import Kind, name_kind


@pytest.mark.parametrize(
    ("provenance", "source", "kind"),
    [
        ("simulated", "dip", Kind.SIMULATED),
        ("SEMI-SYNTHETIC: real home + real sessions of another", "import", Kind.SEMI_SYNTHETIC),
        ("real, aggregate of 39 households", "import", Kind.REAL),
        (None, "dip", Kind.REAL),
        (None, "import", Kind.UNLABELLED),
        ("from my cousin", "dip", Kind.UNLABELLED),
        (" ", None, Kind.UNLABELLED),
    ],
)
def test_a_kind_is_what_the_label_says_first(provenance: str | None, source: str | None, kind: Kind) -> None:
    assert name_kind(provenance, source) is kind
