"""What an installation has only where somebody needs it, and how it is added."""

from __future__ import annotations

_EXTRAS = {
    "psycopg": "postgresql",
    "postgresql": "postgresql",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
    "databricks": "databricks",
    "redshift": "redshift",
    "redshift_connector": "redshift",
    "pycurl": "fast",
    "starlette": "sandbox",
    "uvicorn": "sandbox",
}
"""Module or dialect -> the extra of pyproject.toml that brings it."""

_PACKAGES = {
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "psycopg2": "psycopg2-binary",
    "clickhouse": "clickhouse-sqlalchemy",
    "clickhousedb": "clickhouse-connect",
    "trino": "'trino[sqlalchemy]'",
}
"""Module or dialect -> the package that brings it, where that has another name."""


def how_to_add(module: str) -> str:
    """The command that installs what a Python module is part of, in an environment that has no pip of its own."""
    extra = _EXTRAS.get(module)
    # Without --editable, pip puts a copy of the project in the place of the project.
    what = _PACKAGES.get(module, module) if extra is None else f"--editable '.[{extra}]'"
    return f"python3 -m pip --python .venv/bin/python install {what}"


def missing_driver(backend: str, driver: str, error: ImportError | None) -> str:
    """What a SQLAlchemy URL needs and is not there, as a sentence. backend, driver: of the URL, such as mysql and mysql+pymysql. error: of the driver's import, if it came to that."""
    module = backend if error is None else (error.name or backend).partition(".")[0]
    if error is None and backend not in _EXTRAS | _PACKAGES:
        return f"SQLAlchemy knows no {driver} here; correct the address, or install the package that brings this dialect: {how_to_add('PACKAGE')}"
    return f"{driver} needs {module}, which is not installed; run: {how_to_add(module)}"
