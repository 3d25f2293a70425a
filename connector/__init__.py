"""Reverse ETL for Conversions APIs: conversions in a warehouse -> ad platforms, losing none.

    import connector

    report = connector.sync("defs/acme_dsp/defs.yaml")

Each verb of the command line is a function of the same name. It takes a `Destination`, as `load`
gives it, or the path of its YAML file; options are given by keyword; results are dataclasses with
`to_json()`. An orchestrator runs `plan`, `deliver` and `settle` as steps of their own. Every error
that is raised on purpose is a `ConnectorError`, and a sentence.

`__init__.pyi` lists the names; each is imported when it is first used.
"""

import logging
from typing import Any

import lazy_loader

_get, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # late: it takes longer than the rest of this module

        return version("capi-connector")
    return _get(name)


def __dir__() -> list[str]:
    return list(__all__)
