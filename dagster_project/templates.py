"""Template variables of a `defs.yaml`, as Dagster has them: functions of `template_vars_module`."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from connector.errors import DestinationError
from connector.syntax.spelling import suggest
from connector.syntax.yaml import Document

KEY = "template_vars_module"


def render_with(document: Document, root: Path) -> Callable[[str], Any] | None:
    """What fills the templates of a file; None where it names no module.

    Args:
        document: The file.
        root: Of its project.

    Raises:
        DestinationError: The module cannot be imported.
    """
    name = document.value.get(KEY) if isinstance(document.value, dict) else None
    if not isinstance(name, str):
        return None
    try:
        module = _imported(name, Path(document.file), root)
    except Exception as error:  # noqa: BLE001  the module is the user's, and may raise anything
        raise DestinationError(
            [document.problem((KEY,), f"{KEY}: {name} raised {type(error).__name__}")]
        ) from None
    return _renderer(module)


def _renderer(module: ModuleType) -> Callable[[str], Any]:
    # Late: only a file that names such a module needs Dagster at the command line.
    import dagster as dg
    from dagster.components.component.template_vars import find_inline_template_vars_in_module

    functions = {
        name: function
        for name, function in find_inline_template_vars_in_module(module).items()
        if not inspect.signature(function).parameters
    }

    @functools.cache
    def scope() -> dict[str, Any]:
        return {name: function() for name, function in functions.items()}

    def render(text: str) -> Any:
        try:
            return dg.ResolutionContext.default().with_scope(**scope()).resolve_value(text)
        except Exception as error:  # noqa: BLE001  whatever the user's functions raise
            missing = text.partition("{{")[2].strip().partition(" ")[0].rstrip("}")
            near = suggest(missing, list(functions))
            known = ", ".join(functions) or "none without a parameter"
            raise ValueError(
                f"the template cannot be filled ({type(error).__name__}){near}; there are {known}"
            ) from None

    return render


def _imported(name: str, file: Path, root: Path) -> ModuleType:
    """The module; one that begins with a dot lies beside the file."""
    if not name.startswith("."):
        with _importable(root):
            return importlib.import_module(name)
    path = file.resolve().parent.joinpath(*name[1:].split(".")).with_suffix(".py")
    spec = importlib.util.spec_from_file_location(f"_template_vars_{abs(hash(path))}", path)
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _importable(root: Path) -> Iterator[None]:
    """Within this block, modules of a project can be imported, as Dagster imports them."""
    added = [str(folder) for folder in (root / "src", root)]
    sys.path += added
    try:
        yield
    finally:
        for folder in added:
            sys.path.remove(folder)
