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
    "pygal": "dashboard",
    "jinja2": "dashboard",
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
    """The command that installs what a Python module is part of."""
    extra = _EXTRAS.get(module)
    what = _PACKAGES.get(module, module) if extra is None else f"'capi-connector[{extra}]'"
    return f"pip install {what}"


def missing_driver(backend: str, driver: str, error: ImportError | None) -> str:
    """What a SQLAlchemy URL needs and is not installed, as a sentence.

    Args:
        backend: Of the URL, such as mysql.
        driver: Of the URL, such as mysql+pymysql.
        error: Of the driver's import, if it came to that.
    """
    module = backend if error is None else (error.name or backend).partition(".")[0]
    if error is None and backend not in _EXTRAS | _PACKAGES:
        return (
            f"SQLAlchemy knows no {driver} here; correct the address, or install the package that"
            f" brings this dialect: {how_to_add('PACKAGE')}"
        )
    return _missing(driver, module)


def missing_module(what: str, error: ImportError) -> str:
    """What a part of the connector needs and is not installed, as a sentence.

    Args:
        what: The part, such as "the receiver".
        error: Of the import that failed.
    """
    return _missing(what, str(error.name).partition(".")[0])


def _missing(what: str, module: str) -> str:
    return f"{what} needs {module}, which is not installed; run: {how_to_add(module)}"
