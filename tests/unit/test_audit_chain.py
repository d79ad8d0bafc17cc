"""The chain of the audit log: without the key no change stays undetected."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from services.kit.settings import SettingsError
from services.membership.audit.audit_chain import START, AuditKeys, BrokenChain, Head, check_next

NEW, OLD = (f"{key_id}:{letter * 42}E=" for key_id, letter in (("k2", "B"), ("k1", "A")))
KEYS = AuditKeys.from_text(f"{NEW},{OLD}")
ACT = {"act_id": UUID(int=1), "action": "membership.sign_in", "at": datetime(2026, 11, 25, 2, tzinfo=UTC), "roles": []}

Entry = tuple[int, dict[str, Any]]


def a_chain(length: int, keys: AuditKeys = KEYS) -> list[Entry]:
    entries: list[Entry] = []
    end = START
    for number in range(1, length + 1):
        content = {**ACT, "act_id": UUID(int=number)}
        digest = keys.digest(keys.current, end, content)
        entries.append((number, {**content, "key_id": keys.current, "previous_hash": end.hash, "hash": digest}))
        end = Head(number, digest)
    return entries


def checked(entries: list[Entry], keys: AuditKeys = KEYS) -> Head:
    end = START
    for position, entry in entries:
        end = check_next(keys, end, position, entry)
    return end


def why_broken(entries: list[Entry]) -> str:
    with pytest.raises(BrokenChain) as broken:
        checked(entries)
    return str(broken.value)


def test_a_chain_holds_to_its_end() -> None:
    entries = a_chain(3)
    assert checked(entries) == Head(3, entries[-1][1]["hash"])


@pytest.mark.parametrize("column", [*ACT, "hash"])
def test_a_changed_entry_is_named(column: str) -> None:
    entries = a_chain(3)
    position, entry = entries[1]
    entries[1] = (position, {**entry, column: b"changed" if column == "hash" else "changed"})
    assert why_broken(entries) == "entry 2 was changed"


def test_missing_entries_are_named() -> None:
    entries = a_chain(5)
    assert why_broken([entries[0], *entries[2:]]) == "entry 2 is missing"
    assert why_broken([entries[0], *entries[4:]]) == "entries 2 to 4 are missing"


def test_exchanged_entries_are_named() -> None:
    (_, first), (_, second), (_, third) = a_chain(3)
    assert why_broken([(1, first), (2, third), (3, second)]).startswith("entry 2 does not follow entry 1")


def test_a_gap_cannot_be_closed_by_counting_anew() -> None:
    (_, first), _, (_, third) = a_chain(3)
    assert why_broken([(1, first), (2, third)]).startswith("entry 2 does not follow entry 1")
    assert why_broken([(1, first), (2, {**third, "previous_hash": first["hash"]})]) == "entry 2 was changed"


def test_who_has_no_key_cannot_make_the_chain_anew() -> None:
    stranger = AuditKeys.from_text(f"k2:{'C' * 42}E=")
    assert why_broken(a_chain(2, stranger)) == "entry 1 was changed"


def test_entries_of_an_older_key_hold_beside_those_of_the_newer() -> None:
    older = a_chain(2, AuditKeys.from_text(OLD))
    end = checked(older)
    content = {**ACT, "act_id": UUID(int=3)}
    newer = {**content, "key_id": "k2", "previous_hash": end.hash, "hash": KEYS.digest("k2", end, content)}
    assert checked([*older, (3, newer)]).position == 3


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(BrokenChain, match="entry 1 was hashed with the key k2"):
        checked(a_chain(1), AuditKeys.from_text(OLD))


def test_the_time_zone_in_which_a_time_is_read_does_not_matter() -> None:
    (position, entry), *_ = a_chain(1)
    shanghai = {**entry, "at": entry["at"].astimezone(timezone(timedelta(hours=8)))}
    assert checked([(position, shanghai)]).position == 1


def test_a_head_is_read_as_it_is_written() -> None:
    head = Head(17, bytes(range(32)))
    assert Head.from_text(f" {head}\n") == head


@pytest.mark.parametrize("text", ["", "k1", "k1:c2hvcnQ=", f"k 1:{'A' * 43}=", "k1:no base64", f"{OLD},"])
def test_invalid_keys_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        AuditKeys.from_text(text)
