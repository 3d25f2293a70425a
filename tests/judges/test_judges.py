"""Every row through every judge: what differs is what `accepted.yaml` lists, and that alone."""

from __future__ import annotations

import importlib
from importlib import metadata
from types import ModuleType

import pytest

from tests.judges.ours import Refused, flat, sent, unhashed
from tests.judges.rows import ROWS
from tests.judges.table import Difference, accepted, between, digest, entries

JUDGES = {
    "facebook_business": ("facebook-business",),
    "param_builder": ("capi-param-builder-python",),
    "param_builder_nodejs": (),
    "google_datamanager": ("google-ads-datamanager", "google-ads-datamanager-util"),
    "pinterest_openapi": ("jsonschema",),
    "snap_business": ("snap-business-sdk",),
    "uid2": ("uid2-client",),
}
"""Module -> the packages that it needs."""


def judge_of(name: str) -> ModuleType:
    """A judge, or a skip that says which package is missing."""
    for package in JUDGES[name]:
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            pytest.skip(f"{package} is not installed; it comes with the extra `judges`")
    return importlib.import_module(f"tests.judges.{name}")


@pytest.mark.parametrize("name", JUDGES)
def test_we_differ_from_the_official_package_in_the_listed_ways_alone(name: str) -> None:
    judge = judge_of(name)
    found: set[Difference] = set()
    records = sent(judge.PLATFORM, judge.OVERRIDES)
    refused = {row: record for row, record in records.items() if isinstance(record, Refused)}
    for row, record in records.items():
        if row in refused:
            found.add(Difference(row, "row", str(record), "sent"))
        else:
            found |= between(row, judge.ours(record), judge.theirs(ROWS[row], record))
    listed = accepted(name, judge.HASHED, [row for row in ROWS if row not in refused])
    legible = _legible(judge)
    new = [_line(difference, legible) for difference in sorted(found - listed, key=str)]
    gone = [
        f"{_line(difference, legible)} is listed" for difference in sorted(listed - found, key=str)
    ]
    assert not new, "judge these, then list them in accepted.yaml:\n" + "\n".join([*new, *gone])
    assert not gone, "not so any more, take them out of accepted.yaml:\n" + "\n".join(gone)


def _legible(judge: ModuleType) -> dict[str, str]:
    """Digest -> its text, so that a failure can be read: our normal forms, and the listed ones."""
    forms = {
        value
        for record in unhashed(judge.PLATFORM, judge.OVERRIDES).values()
        for value in flat(record).values()
        if isinstance(value, str)
    }
    forms |= {
        form
        for row in ROWS.values()
        for value in row.values()
        if isinstance(value, str)
        for form in (value, value.strip().lower())
    }
    forms |= {
        str(value)
        for entry in entries()
        for case in entry["cases"]
        for pair in case["rows"].values()
        for value in pair
    }
    fields = {"", *judge.HASHED}
    return {digest(form, field): form for form in forms for field in fields}


def _line(difference: Difference, legible: dict[str, str]) -> str:
    pair = [legible.get(value, value) for value in (difference.ours, difference.theirs)]
    return f"  {difference.field}  {difference.row}: {pair}"


def test_every_accepted_difference_has_its_reason_and_its_source() -> None:
    for entry in entries():
        assert entry.keys() - {"open"} == {"why", "source", "cases"}, entry
        for case in entry["cases"]:
            assert case.keys() == {"where", "rows"}, case
            assert case["where"].keys() <= JUDGES.keys(), case
            assert case["rows"].keys() <= {*ROWS, "*"}, case


def test_a_difference_of_type_is_a_difference() -> None:
    ours = {"whole": 100, "flag": True, "number": 1, "same": "a", "more": None}
    theirs = {"whole": 100.0, "flag": 1, "number": "1", "same": "a", "other": "b"}
    assert {found.field for found in between("plain", ours, theirs)} == {"flag", "number", "other"}


def test_the_distilled_description_has_the_names_of_pinterests_own_client() -> None:
    """Of version 5.14.0, whose events have no predicted_ltv, app_info and device_info yet."""
    schema = judge_of("pinterest_openapi").SCHEMA["$defs"]
    try:
        metadata.version("pinterest-generated-client")
    except metadata.PackageNotFoundError:
        pytest.skip("pinterest-generated-client is not installed; it comes with the extra `judges`")
    newer = {"event": {"app_info", "device_info"}, "custom_data": {"predicted_ltv"}}
    models = {
        "event": "conversion_events_data",
        "user_data": "conversion_events_user_data",
        "custom_data": "conversion_events_custom_data",
        "content": "conversion_events_custom_data_contents",
        "app_info": "conversion_event_app_info",
        "device_info": "conversion_event_device_info",
    }
    for name, model in models.items():
        module = importlib.import_module(f"openapi_generated.pinterest_client.model.{model}")
        client = getattr(module, "".join(part.capitalize() for part in model.split("_")))
        assert set(schema[name]["properties"]) - newer.get(name, set()) == set(
            client.attribute_map.values()
        )
