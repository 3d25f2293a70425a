"""What is said of a mistake of this program itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from connector.engine import failpoints
from connector.errors import InternalError

LIBRARY = """
class Transport:
    def send(self, request):
        raise KeyError("jane@example.org")
"""


def test_a_mistake_names_a_line_of_this_package_wherever_it_is_checked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout that is called as the package holds libraries too, in its environment."""
    path = tmp_path / "connector" / ".venv" / "site-packages" / "library.py"
    path.parent.mkdir(parents=True)
    path.write_text(LIBRARY, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("library", path)
    assert spec is not None
    assert spec.loader is not None
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)
    monkeypatch.setenv("CAPI_FAILPOINT", "after_plan:1")
    with pytest.raises(KeyError) as raised:
        failpoints.around(library.Transport()).send(None)  # type: ignore[arg-type]
    told = str(InternalError.of(raised.value))
    assert told.startswith("unexpected KeyError at failpoints.py:")
    assert "jane" not in told
