"""Package metadata. Spark is an extra: the wheel must never replace the one that a cluster brings."""

from pathlib import Path

from setuptools import find_packages, setup

VERSION = next(
    line.split('"')[1] for line in Path("fmar_spark/__init__.py").read_text(encoding="utf-8").splitlines() if line.startswith("__version__")
)

DATA_FILES = sorted(
    str(path.relative_to("fmar_spark")) for path in Path("fmar_spark").rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}
)

setup(
    name="fmar-spark",
    version=VERSION,
    description="Flexible-asset register for Great Britain: derives what every connection can do from its meter.",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["fmar_spark", "fmar_spark.*"]),
    package_data={"fmar_spark": DATA_FILES},
    scripts=sorted(str(path) for path in Path("jobs").glob("*.py")),
    install_requires=[
        "numpy",
        "scipy",
        "pandas<3",
        "pyarrow",
        "scikit-learn",
        "ruptures",
        "msgspec",
        "pydantic>=2",
        "PyYAML",
        "holidays",
        "skops",
        "mlflow",
        "rich",
        "plotly",
    ],
    extras_require={
        "local": ["pyspark==4.1.1", "delta-spark==4.3.1", "duckdb", "deltalake"],
        "serving": [
            "fastapi",
            "uvicorn",
            "sqlalchemy>=2.1",
            "alembic",
            "psycopg[binary]>=3",
            "joserfc",
            "httpx",
            "prometheus-client",
            "deltalake",
            "duckdb",
        ],
        "test": [
            "pytest>=9",
            "chispa",
            "hypothesis",
            "import-linter",
            "ruff",
            "mypy",
            "pandas-stubs",
            "scipy-stubs",
            "types-PyYAML",
            "jsonschema",
            "schemathesis",
            "databricks-bundles",
            "playwright",
            "setuptools>=68",
        ],
    },
)
