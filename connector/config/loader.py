"""Reads the YAML of a destination strictly; reports all problems at once, each with its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from connector.config.destination import Destination
from connector.config.documents import choose, default_name, split_target
from connector.config.environment import filled
from connector.config.host import Host, host_of
from connector.config.models import DestinationModel
from connector.config.policy import PolicyFile, read_policy
from connector.config.profile import profile_problems, reduced
from connector.config.validate import inconsistencies
from connector.config.validation_errors import problems_of
from connector.errors import DestinationError, Problem
from connector.platforms import loader as platforms
from connector.syntax import yaml as strict_yaml
from connector.syntax.yaml import Document

Target = Destination | Path | str
"""What every verb takes: a destination, or the path of its YAML file (`FILE#NAME` of several)."""


def load(path: Path | str, root: Path | None = None) -> Destination:
    """Read one destination.

    Args:
        path: Its YAML file; `FILE#NAME` means one of several in a file.
        root: Folder that relative paths in it start from; default: the project's, see
            `project_root`.

    Raises:
        DestinationError: With all problems of the file.
    """
    file, name = split_target(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DestinationError([Problem("the file cannot be read", str(file))]) from None
    document = choose(strict_yaml.load_all(text, str(file)), file, name)
    return build(document, root or project_root(file), file)


def destination_of(target: Target) -> Destination:
    """A destination that was read already, or that stands in a YAML file.

    Raises:
        DestinationError: With all problems of the file.
    """
    return target if isinstance(target, Destination) else load(target)


def build(document: Document, root: Path, path: Path | None) -> Destination:
    """Make a destination of a parsed YAML file.

    Args:
        document: The file.
        root: Folder that relative paths in it start from.
        path: Where the file was read; its folder or its name gives the destination's name, unless
            the YAML has one.

    Raises:
        DestinationError: With all problems of the file.
    """
    _refuse_variables(read_policy(root), document)
    value = document.value
    host = host_of(value.get("type") if isinstance(value, dict) else None)
    document = filled(document, host.render_with(document, root))
    value = document.value
    try:
        model = host.file_model.model_validate(value).attributes  # type: ignore[attr-defined]
    except ValidationError as error:
        raise DestinationError(problems_of(document, error, host.file_model)) from None
    return assemble(model.name or default_name(path), model, root, path, document, host)


def assemble(
    name: str,
    model: DestinationModel,
    root: Path,
    path: Path | None,
    document: Document | None = None,
    host: Host | None = None,
) -> Destination:
    """Put a model together with its platform file, and check what one model cannot see alone.

    Args:
        name: How people and the state call the destination.
        model: What its YAML says.
        root: Folder that relative paths in it start from.
        path: Where it was read; None where it was not.
        document: Where each key of the file stands.
        host: Whose keys the model has; default: the one that is registered.

    Raises:
        DestinationError: With all problems that were found.
    """
    policy = read_policy(root)
    if document is None:
        document = Document(None, str(path or name))
        _refuse_variables(policy, replace(document, value={"attributes": model.model_dump()}))
    try:
        platform = platforms.load(model.platform, root, model.overrides, model.account)
    except platforms.PlatformError as error:
        problem = document.problem(("attributes", *error.keys), str(error))
        raise DestinationError([problem]) from None
    destination = Destination(name, model, reduced(model, platform), root, path, document)
    problems = [
        destination.problem(message, keys)
        for found in (
            inconsistencies(model, platform),
            profile_problems(model, platform),
            (host or host_of()).problems(destination),
        )
        for keys, message in found
    ]
    problems += [] if policy is None else policy.problems(destination)
    if problems:
        raise DestinationError(problems)
    return destination


def _refuse_variables(policy: PolicyFile | None, document: Document) -> None:
    """Refuse a YAML, as it was written, that names variables of which the policy does not know."""
    problems = [] if policy is None else policy.variable_problems(document)
    if problems:
        raise DestinationError(problems)


def project_root(path: Path) -> Path:
    """The folder that relative paths of a YAML file start from.

    The root of the host's project that the file lies in. Without one the nearest folder, above the
    file or else above the working directory, that holds `sql/` or a package with `defs/`; otherwise
    the working directory.
    """
    project = host_of().project(path.resolve().parent)
    if project is not None:
        return project.root
    for start in (path.resolve().parent, Path.cwd()):
        for folder in (start, *start.parents):
            if (folder / "sql").is_dir() or any(folder.glob("[!.]*/defs")):
                return folder
    return Path.cwd()
