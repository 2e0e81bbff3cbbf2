"""One node of Apache Kafka from Maven, with SASL, for scripts and tests."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

JARS: Final = Path.home() / ".cache" / "fmar_kafka"
"""Where the broker's jars are kept."""
KAFKA: Final = ("org.apache.kafka", "kafka_2.13", "4.1.1")
LOGIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule required"
USER: Final = 'username="gateway" password="local only"'
SERVER: Final = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{control}
listeners=SASL_PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=SASL_PLAINTEXT
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={login} {user} user_gateway="local only";
log.dirs={data}
num.partitions=2
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""
_SECURE: Final = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}
CONSUMER: Final = {**_SECURE, "sasl.jaas.config": f"{LOGIN} {USER};"}
"""How Kafka's own clients name what they need."""
PRODUCER: Final = {**_SECURE, "sasl.username": "gateway", "sasl.password": "local only"}
"""How librdkafka does."""


class Broker:
    """One node of Apache Kafka in a folder."""

    def __init__(self, folder: Path, jars: Path) -> None:
        """Its configuration and an empty log; it does not run yet."""
        self.port, control = find_port(), find_port()
        self._jars, self._folder = jars, folder
        self._config = folder / "server.properties"
        folder.mkdir()
        server = SERVER.format(port=self.port, control=control, login=LOGIN, user=USER, data=folder / "data")
        self._config.write_text(server, encoding="utf-8")
        self._run("kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", str(self._config)).wait(60)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def servers(self) -> str:
        """Its address."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return once it listens."""
        self.process = self._run("kafka.Kafka", str(self._config))
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit("kafka_broker: the broker did not start")

    def is_away(self) -> bool:
        """Whether it was started and has ended."""
        return self.process is not None and self.process.poll() is not None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)

    def _run(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        command = ["java", "-Xmx512m", "-cp", f"{self._jars}/*", name, *words]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def fetch_jars(folder: Path) -> None:
    """The broker and what it needs, by the Ivy that PySpark brings."""
    if any(folder.glob("kafka_*.jar")):
        return
    found = find_spec("pyspark")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("kafka_broker: pyspark: not installed")
    (ivy,) = Path(found.submodule_search_locations[0], "jars").glob("ivy-*.jar")
    where = ["-confs", "default", "-retrieve", f"{folder}/[artifact]-[revision](-[classifier]).[ext]"]
    subprocess.run(["java", "-jar", str(ivy), "-dependency", *KAFKA, *where], check=True, capture_output=True)


@contextmanager
def run_broker(folder: Path, jars: Path) -> Iterator[Broker]:
    """A broker that listens, until the end."""
    broker = Broker(folder, jars)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill(signal.SIGTERM)


def write_properties(path: Path, properties: Mapping[str, str]) -> Path:
    """The file of a client's properties."""
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()), encoding="utf-8")
    return path


def find_port() -> int:
    """A port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
