"""Invariants of the audit log: heads that services and the file of heads remember."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.invariants import System
from deploy.invariants.audit_heads import FILE, heads_are_signed, stored_heads, stored_heads_are_in_log
from deploy.permissions import SERVICES
from services.kit.key_sets import new_signing_keys, public_part
from services.kit.operations.audit_heads import signed, signing_keys
from services.kit.secret_values import KeySet

SIGNING = new_signing_keys("audit-2026")
[KEY] = signing_keys(KeySet(SIGNING), "AUDIT_SIGNING_KEYS", private=True)
OTHERS = [service for service in SERVICES if service != "membership"]

Look = Callable[..., list[tuple[str, str]]]


class Databases:
    """The services' tables; the newest entry that is some minutes old is at `newest_old_entry`."""

    def __init__(self, statements: dict[str, list[str]], newest_old_entry: int) -> None:
        self._statements = statements
        self._newest_old_entry = newest_old_entry

    def rows(self, service: str, query: str) -> Iterator[dict[str, Any]]:
        if "audit_entry" not in query:
            yield from ({"statement": one} for one in self._statements[service])
        elif (after := int(query.partition("position > ")[2].split()[0])) < self._newest_old_entry:
            yield {"position": after + 1}


def head(position: int) -> str:
    return signed(position, bytes(32), KEY).statement


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Violations where everybody remembers entry 5, but for these; entries to 5 are older than some minutes."""

    def violations(old: int = 5, file: list[str] | None = None, **others: list[str]) -> list[tuple[str, str]]:
        tables = {service: [head(5)] for service in SERVICES} | others
        path = tmp_path / "heads"
        path.write_text("".join(f"5:00 {one}\n" for one in ([head(5)] if file is None else file)))
        keys = {"AUDIT_PUBLIC_KEYS": public_part(SIGNING), FILE: str(path)}
        databases: Any = Databases(tables, old)
        known = stored_heads(System({}, {}, keys), databases)
        found = [*stored_heads_are_in_log(databases, known), *heads_are_signed(known)]
        return [(one.invariant, one.offender) for one in found]

    return violations


def test_where_all_remember_the_end_nothing_is_found(look: Look) -> None:
    assert look() == []


def test_a_head_that_was_not_published_for_minutes_is_found_whatever_membership_says(look: Look) -> None:
    silent = [("audit_head_remembered", source) for source in (*OTHERS, FILE)]
    assert sorted(look(old=9, membership=["told already"])) == sorted([*silent, ("audit_head_signed", "membership")])


def test_a_file_that_is_empty_or_behind_is_found(look: Look, tmp_path: Path) -> None:
    assert look(file=[]) == look(file=[head(3)]) == [("audit_head_remembered", FILE)]


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    keys = {"AUDIT_PUBLIC_KEYS": public_part(SIGNING), FILE: str(tmp_path / "gone")}
    databases: Any = Databases({service: [head(5)] for service in SERVICES}, 5)
    [found] = stored_heads_are_in_log(databases, stored_heads(System({}, {}, keys), databases))
    assert found.offender == FILE


def test_a_row_that_membership_did_not_sign_is_named_and_hides_nothing(look: Look) -> None:
    assert look(batching=["forged", head(5)], file=[head(5), "eyJhbG"]) == [
        ("audit_head_signed", "batching"),
        ("audit_head_signed", FILE),
    ]
    assert look(revocation=["forged", head(3)])[0] == ("audit_head_remembered", "revocation")
