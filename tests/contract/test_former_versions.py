"""Compatibility of releases: today's consumers read messages of former releases, and theirs read today's.

A folder of `former/` holds the messages of one release: its committed examples, and its AsyncAPI document, which
describes what its consumers can read.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from deploy.documents import DOCS
from deploy.outside_parties import OUTSIDE_PARTIES
from services.contracts import examples
from services.contracts.events.all_events import EVENTS

FORMER = Path(__file__).parent / "former"
RELEASES = sorted(folder.name for folder in FORMER.iterdir())
PUBLISHED = [
    (release, path.stem)
    for release in RELEASES
    for path in sorted((FORMER / release).glob("*.json"))
    if path.stem != "asyncapi"
]
_OUTSIDE = {party.example(name): kind for party in OUTSIDE_PARTIES for name, kind in party.messages.items()}
"""The schemas of messages with outside parties, by the names of their examples."""
every_former_message = pytest.mark.parametrize(("release", "name"), PUBLISHED, ids=[":".join(one) for one in PUBLISHED])


@every_former_message
def test_todays_consumer_reads_messages_of_a_former_release(release: str, name: str) -> None:
    example = json.loads((FORMER / release / f"{name}.json").read_text("utf-8"))
    if name in EVENTS:
        EVENTS[name].read(examples.on_the_wire(example))
    else:
        _OUTSIDE[name]().load(example)


@every_former_message
def test_a_former_releases_consumer_reads_todays_messages(release: str, name: str) -> None:
    known = _document(FORMER / release)
    schema = {**_schema(known, name), "components": _with_sealed_open(known["components"])}
    Draft202012Validator(schema).validate(examples.readable_example(name))


@every_former_message
def test_no_field_was_taken_away_or_changed_its_meaning(release: str, name: str) -> None:
    former, today = _document(FORMER / release), _document(DOCS / "events")
    assert list(_changes(former, _schema(former, name), today, _schema(today, name), name)) == []


def test_the_newest_frozen_release_has_todays_messages() -> None:
    """A new message, or one with a new field, is frozen with the first release that publishes it."""
    newest = FORMER / RELEASES[-1]
    former, today = _document(newest), _document(DOCS / "events")
    published = {*EVENTS, *_OUTSIDE}
    assert {path.stem for path in newest.glob("*.json")} - {"asyncapi"} == published
    for name in published:
        assert list(_changes(today, _schema(today, name), former, _schema(former, name), name)) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda fields: fields["properties"].pop("reason"), "reason: taken away"),
        (lambda fields: fields["properties"].update(reason={"type": "integer"}), "reason: another type"),
        (lambda fields: fields["properties"]["reason"].update(enum=["by_clerk"]), "reason: other values"),
        (lambda fields: fields["required"].remove("reason"), "reason: no longer always there"),
        (lambda fields: fields["required"].append("added"), "added: now demanded"),
        (lambda fields: fields["properties"]["applications"].update(type="object"), "applications: another type"),
    ],
)
def test_a_change_that_breaks_others_is_seen(change: Any, complaint: str) -> None:
    name = "batching.members_removed.v1"
    today, changed = _document(DOCS / "events"), json.loads((DOCS / "events" / "asyncapi.json").read_text("utf-8"))
    change(changed["components"]["schemas"]["MembersRemovedData"])
    found = list(_changes(today, _schema(today, name), changed, _schema(changed, name), name))
    assert f"{name}.{complaint}" in found


@cache
def _document(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "asyncapi.json").read_text("utf-8"))
    return document


def _schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The schema of an event's data or of a message with an outside party, as a reference."""
    message = name if name in document["components"]["messages"] else name.partition(".")[2]
    payload: dict[str, Any] = document["components"]["messages"][message]["payload"]
    data: dict[str, Any] = payload.get("properties", {}).get("data", payload)
    return data


def _with_sealed_open(schema: Any) -> Any:
    """The schema of examples, in which encrypted values are written decrypted."""
    if isinstance(schema, list):
        return [_with_sealed_open(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "x-sealed" in schema:
        sealed = {"type": "object", "properties": {"sealed": _with_sealed_open(schema["x-sealed"])}}
        return {"anyOf": [{"type": "null"}, {**sealed, "required": ["sealed"]}]}
    return {key: _with_sealed_open(value) for key, value in schema.items()}


def _changes(
    old: dict[str, Any], was: dict[str, Any], new: dict[str, Any], is_now: dict[str, Any], path: str
) -> Iterator[str]:
    """What of an old schema a new one breaks: for consumers of either with messages of the other."""
    was, is_now = _resolved(old, was), _resolved(new, is_now)
    if _type(was) != _type(is_now) or was.get("format") != is_now.get("format"):
        yield f"{path}: another type"
        return
    if was.get("enum") != is_now.get("enum"):
        yield f"{path}: other values"
    for inner in ("items", "x-sealed"):
        if inner in was:
            yield from _changes(old, was[inner], new, is_now[inner], f"{path}[]")
    before, after = set(was.get("required", ())), set(is_now.get("required", ()))
    yield from (f"{path}.{field}: no longer always there" for field in sorted(before - after))
    yield from (f"{path}.{field}: now demanded" for field in sorted(after - before))
    for field, known in was.get("properties", {}).items():
        if field not in is_now["properties"]:
            yield f"{path}.{field}: taken away"
        else:
            yield from _changes(old, known, new, is_now["properties"][field], f"{path}.{field}")


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref") or next((one["$ref"] for one in schema.get("allOf", ()) if "$ref" in one), None)
    if reference is None:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _type(schema: dict[str, Any]) -> tuple[Any, ...]:
    """The JSON types that a value may have; an encrypted value is another type than a plain string."""
    kinds = schema.get("type", [])
    return ("x-sealed" in schema, *sorted([kinds] if isinstance(kinds, str) else kinds))
