"""A migration that takes something away says which code still works with the tables."""

import inspect
import re

import pytest
from alembic.script import ScriptDirectory

from services.contracts.services import SERVICES
from services.kit.data.schema.versions import oldest_served, serves
from tests.databases import ROOT

_TAKES_AWAY = re.compile(r"\b(drop|rename|alter_column|set not null|alter column)", re.IGNORECASE)
_SINCE = {"batching": "0018", "membership": "0030", "notification": "0010", "revocation": "0010", "validation": "0005"}
"""The revisions of the first code that reads what a database serves."""


def takes_away(upgrade: str) -> bool:
    """Whether the source of an upgrade may take away what former code uses; a drop of an index or trigger may not."""
    return _TAKES_AWAY.search(re.sub(r"drop[ _](index|trigger)", "", upgrade, flags=re.IGNORECASE)) is not None


@pytest.mark.parametrize("service", SERVICES)
def test_what_takes_away_says_which_code_is_served(service: str) -> None:
    revisions = ScriptDirectory(ROOT / "services" / service / "migrations").walk_revisions()
    later = [one for one in revisions if one.revision > _SINCE[service]]
    silent = [
        one.revision
        for one in later
        if takes_away(inspect.getsource(one.module.upgrade)) and not hasattr(one.module, "serves_from")
    ]
    assert silent == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrations_before_took_something_away(service: str) -> None:
    """Or else the test above would find nothing."""
    revisions = ScriptDirectory(ROOT / "services" / service / "migrations").walk_revisions()
    assert any(takes_away(inspect.getsource(one.module)) for one in revisions)


@pytest.mark.parametrize(
    ("comment", "found", "code", "is_served"),
    [
        ("0020 serves code from 0018", "0020", "0018", True),
        ("0020 serves code from 0018", "0020", "0019", True),
        ("0020 serves code from 0018", "0020", "0017", False),
        ("0020 serves code from 0018", "0020", "0021", False),
        ("0020 serves code from 0018", "0021", "0018", False),
        ("", "0020", "0018", False),
        ("serves code from 0018", "0020", "0018", False),
    ],
)
def test_a_newer_database_serves_code_from_the_noted_revision_on(
    comment: str, found: str, code: str, is_served: bool
) -> None:
    assert serves(comment, found, code) is is_served


def test_the_newest_declaration_counts() -> None:
    assert oldest_served([None, "0003", None, "0007", None]) == "0007"
    assert oldest_served([None, None]) == "0001"
