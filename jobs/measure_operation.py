"""``fmar operation`` for spark-submit."""

import sys

from fmar_spark.cli import main

if __name__ == "__main__":
    sys.exit(main(["operation", *sys.argv[1:]]))
