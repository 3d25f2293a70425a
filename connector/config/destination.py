"""One destination as the rest of the library sees it: its model and its platform."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from connector.config.models import DestinationModel
from connector.errors import DestinationError, Problem
from connector.platforms.answers import Answers
from connector.platforms.columns import COLUMNS
from connector.platforms.model import Platform
from connector.syntax.yaml import Document

_PERSONAL_NAME = re.compile(
    r"(?i)(?:\b|_)(?:e_?mail|mail|phone|mobile|msisdn|tel|ssn|mrn|patient|passport|iban|dob"
    r"|birth\w*|surname|(?:first|last|full|given|family|customer|client|user|person|contact|member)_?name)"
    r"(?:\b|_)"
)
"""Names of columns that describe a person, or number one for others than us."""


@dataclass(frozen=True)
class Destination:
    """A destination that was read and found consistent.

    Attributes:
        name: How people and the state call it.
        model: What its YAML says.
        platform: The platform file with this destination's overrides.
        root: Folder that relative paths start from.
        file: Where it was read; None where it was made from a model.
        document: Where each key of the file stands, if it was read.
    """

    name: str
    model: DestinationModel
    platform: Platform
    root: Path
    file: Path | None
    document: Document | None = field(default=None, repr=False, compare=False)

    @property
    def platform_name(self) -> str:
        """`capi`, or the stem of a platform file of the user's own."""
        return Path(self.model.platform).stem

    @property
    def answers(self) -> Answers:
        """How answers are understood; in test mode, success may be said in another way."""
        answers, test_mode = self.platform.answers, self.platform.test_mode
        if not self.model.test_mode or test_mode is None or test_mode.success is None:
            return answers
        return answers.model_copy(update={"success": test_mode.success})

    @property
    def endpoint(self) -> str:
        """Address that requests begin with; empty where neither YAML nor platform give one."""
        return self.model.endpoint or self.platform.endpoint or ""

    @property
    def concurrency(self) -> int:
        """Requests in flight at most; how many there are follows what the platform bears."""
        given = self.model.delivery.concurrency
        return self.platform.limits.concurrency if given == "auto" else given

    @property
    def batch_size(self) -> int:
        """Records that one request may carry."""
        most, test_mode = self.platform.limits.max_events, self.platform.test_mode
        if self.model.test_mode and test_mode is not None and test_mode.max_events is not None:
            most = min(most, test_mode.max_events)
        return min(self.model.delivery.batch_size or most, most)

    def problem(self, message: str, keys: Sequence[str | int]) -> Problem:
        """What is wrong at these keys, with the line of the deepest of them that is in the file."""
        document = self.document or Document(None, str(self.file or ""))
        return document.problem(("attributes", *keys), message)

    @property
    def yaml_type(self) -> object:
        """Value of `type` in the YAML; None where it has none."""
        value = self.document.value if self.document is not None else None
        return value.get("type") if isinstance(value, dict) else None

    @property
    def query_file(self) -> Path:
        """Where the query is, whether or not it exists."""
        return _find(self.model.source.query, self.root, self.file)

    def query(self) -> str:
        """The SQL text. Raises DestinationError where the file is missing."""
        try:
            return self.query_file.read_text(encoding="utf-8")
        except OSError:
            raise DestinationError(
                [
                    self.problem(
                        f"source.query: there is no file {self.model.source.query}",
                        ("source", "query"),
                    )
                ]
            ) from None

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Identifiers that are sent, in the platform's order."""
        chosen = self.model.identifiers
        return tuple(
            name
            for name, spec in self.platform.identifiers.items()
            if (name in chosen if chosen is not None else not spec.plain)
        )

    @functools.cached_property
    def keys_are_personal(self) -> bool | None:
        """Whether keys are kept and shown as hashes alone; None where what they look like decides.

        `privacy.keys` or a profile says so, or a column of the key describes a person by its name
        or by what the query makes it of, or is a digest of one that does.
        """
        if self.model.privacy.keys is not None:
            return self.model.privacy.keys == "hashed"
        if self.model.privacy.profile is not None:
            return True
        personal = {
            self.model.columns.get(name, name)
            for name, column in COLUMNS.items()
            if column.personal or name.endswith("_sha256")
        }
        keys = self.model.source.keys
        if not personal.isdisjoint(keys) or any(map(_PERSONAL_NAME.search, keys)):
            return True
        return True if any(map(self._is_made_of_personal_columns, keys)) else None

    def _is_made_of_personal_columns(self, key: str) -> bool:
        """Whether the query gives this name to a column that describes a person by its own."""
        try:
            query = self.query()
        except DestinationError:
            return False
        alias = rf"(?is)([^,;]{{1,200}}?)\bas\s+[\"`\[]?{re.escape(key)}\b"
        return any(
            _PERSONAL_NAME.search(re.split(r"(?i)\bselect\b", made_of)[-1])
            for made_of in re.findall(alias, query)
        )


def _find(name: str, root: Path, file: Path | None) -> Path:
    candidates = [root / name, *([file.parent / name] if file is not None else [])]
    return next((path for path in candidates if path.is_file()), candidates[0])
