"""The page of the Python API, one entry for each name of `connector/__init__.pyi`."""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r"^from \.(?P<module>[\w.]+) import (?P<name>\w+) as (?P=name)$", re.M)

_HEAD = """# Python

<!-- made by `make docs` from connector/__init__.pyi -->

Each verb of the command line is a function. It takes a destination, as `connector.load` gives it,
or the path of its YAML file; options are given by keyword; results are dataclasses with
`to_json()`. Every error that is raised on purpose is a `ConnectorError`, and a sentence.

```python
import connector

report = connector.sync("defs/acme_dsp/defs.yaml", options=connector.Options(limit=100))
print(report.delivered, report.rejected)
```
"""


def python_page(stub: Path) -> str:
    """The page in Markdown.

    Args:
        stub: The file that lists the public names.
    """
    names = {found["name"]: found["module"] for found in _IMPORT.finditer(stub.read_text())}
    errors = {name for name, module in names.items() if module == "errors"}
    verbs = {name for name in names if name[0].islower()}
    groups = (
        ("Functions", sorted(verbs)),
        ("Classes", sorted(set(names) - verbs - errors)),
        ("Errors", sorted(errors)),
    )
    parts = [_HEAD]
    for title, members in groups:
        parts.append(f"## {title}\n")
        parts += [f"::: connector.{names[name]}.{name}\n" for name in members]
    return "\n".join(parts)
