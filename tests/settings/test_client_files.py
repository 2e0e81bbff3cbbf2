from pathlib import Path

import pytest

from fmar_spark.errors import ConfigError
from fmar_spark.settings.client_files import read_client


def test_a_kafka_client_file_is_read_as_kafka_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text(
        '# Event Hubs\nsecurity.protocol = SASL_SSL\n\nsasl.jaas.config=x.Login required username="$Connection" password="a=b";\n'
    )
    assert read_client(str(file), "--kafka-config") == {
        "security.protocol": "SASL_SSL",
        "sasl.jaas.config": 'x.Login required username="$Connection" password="a=b";',
    }


def test_a_line_of_a_kafka_client_file_that_is_none_is_named_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("security.protocol=SASL_SSL\nhunter2\n")
    with pytest.raises(ConfigError, match=r"client.properties: line 2: name=value wanted") as caught:
        read_client(str(file), "--kafka-config")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"absent\.properties"):
        read_client(str(tmp_path / "absent.properties"), "--kafka-config")
