"""Package metadata. Spark is an extra: the wheel must never replace the one that a cluster brings."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "fmar_spark"
VERSION = next(
    line.split('"')[1] for line in (PACKAGE / "__init__.py").read_text(encoding="utf-8").splitlines() if line.startswith("__version__")
)
DATA_FILES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"})

setup(
    name="fmar-spark",
    version=VERSION,
    description="Flexible-asset register for Great Britain: derives what every connection can do from its meter.",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["fmar_spark", "fmar_spark.*"]),
    package_data={"fmar_spark": DATA_FILES},
    scripts=sorted(str(path.relative_to(ROOT)) for path in (ROOT / "jobs").glob("*.py")),
    entry_points={"console_scripts": ["fmar = fmar_spark.cli:main"]},
    install_requires=[
        "numpy",
        "scipy",
        "pandas<3",
        "pyarrow",
        "scikit-learn",
        "skops",
        "threadpoolctl",
        "msgspec",
        "pydantic>=2",
        "PyYAML",
        "holidays",
        "narwhals",
        "nemreader",
        "ruptures",
        "rich",
        "typer",
    ],
    extras_require={
        "spark": ["pyspark==4.1.1", "delta-spark==4.3.1", "deltalake", "pyproj"],
        "train": ["mlflow"],
        "serve": [
            "fastapi",
            "uvicorn",
            "sqlalchemy>=2.1",
            "alembic",
            "psycopg[binary]>=3",
            "joserfc",
            "cryptography",
            "httpx",
            "prometheus-client",
            "deltalake",
            "duckdb",
            "jinja2",
            "plotly",
            "uuid-utils",
        ],
        "kafka": ["confluent-kafka"],
        "report": ["plotly", "deltalake", "duckdb"],
        "test": [
            "pytest>=9",
            "pytest-xdist",
            "hypothesis",
            "import-linter",
            "ruff",
            "mypy",
            "pandas-stubs",
            "scipy-stubs",
            "types-PyYAML",
            "schemathesis",
            "jsonschema-rs",
            "packaging",
            "pillow",
            "databricks-bundles",
            "playwright",
            "polars",
            "setuptools>=68",
        ],
    },
)
