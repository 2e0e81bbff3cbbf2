"""``fmar train`` for spark-submit."""

import sys

from fmar_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
