"""The network of a simulated fleet is one that load_network takes, however few meters there are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fmar_spark.domain.mpan import number_mpans
from fmar_spark.intake.network.files import read_network_files
from fmar_spark.intake.network.topology import KNOWN_COLUMNS, check_topology
from fmar_spark.simulate.network import write_network


@pytest.mark.parametrize("meters", [1, 3, 20, 400])
def test_every_zone_has_meter_points(meters: int, tmp_path: Path) -> None:
    mpans = number_mpans(np.full(meters, 20), np.arange(meters))
    files = write_network([(mpan, "_H") for mpan in mpans])
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    zones = tmp_path / "zones.csv"
    given = read_network_files(tmp_path / "nodes.csv", tmp_path / "members.csv", zones if zones.exists() else None)
    topology = check_topology(given, pd.DataFrame(columns=list(KNOWN_COLUMNS)), pd.Series([], dtype=object))
    assert len(topology.members) == meters
    assert zones.exists() == (len(topology.zones) > 0)
    assert meters < 400 or set(topology.zones["node_id"]) == {"SIM_H-G1-B1-P1", "SIM_H-G1-B1-P2"}
