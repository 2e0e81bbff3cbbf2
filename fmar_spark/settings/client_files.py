"""Files of a Kafka client's properties, which may hold secrets."""

from pathlib import Path

from fmar_spark.errors import ConfigError


def read_client(path: str, option: str) -> dict[str, str]:
    """The properties in a file of a Kafka client: ``name=value`` on each line, ``#`` before a comment.

    Args:
        path: of the file.
        option: what messages call it.

    Raises:
        ConfigError: the file cannot be read, or a line is neither; only the line's number is reported, for it may be a secret.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{option}: {path}: {error}") from error
    client = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{option}: {path}: line {number}: name=value wanted")
        client[name.strip()] = value.strip()
    return client
