"""A migration that takes something away says which code still works with the tables."""

import inspect
import re
from itertools import takewhile

import pytest
from alembic.script import Script, ScriptDirectory

from services.contracts.services import SERVICES
from services.kit.data.schema.versions import oldest_served, serves
from tests.databases import ROOT

_TAKES_AWAY = re.compile(
    r"(\b|_)(drop|rename|alter[_ ]column|set not null|nullable=False|revoke|unique=True|constraint|unique index)",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"drop[ _](index|trigger)|constraint trigger|drop_constraint", re.IGNORECASE)
_NEW_TABLE = re.compile(r"op\.create_table\(.*?\n    \)\n", re.DOTALL)


def takes_away(source: str) -> bool:
    """Whether a revision may take away what former code uses, or demand what that does not give."""
    upgrade = re.sub(r"\ndef downgrade\(.*", "", source, flags=re.DOTALL)
    return _TAKES_AWAY.search(_HARMLESS.sub("", _NEW_TABLE.sub("", upgrade))) is not None


def revisions(service: str) -> list[Script]:
    """The revisions of a service, the newest first."""
    return list(ScriptDirectory(ROOT / "services" / service / "migrations").walk_revisions())


@pytest.mark.parametrize("service", SERVICES)
def test_what_takes_away_says_which_code_is_served(service: str) -> None:
    silent = takewhile(lambda one: not hasattr(one.module, "serves_from"), revisions(service))
    assert [one.revision for one in silent if takes_away(inspect.getsource(one.module))] == []


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_says_which_code_was_the_first_that_can_be_served(service: str) -> None:
    said = [one.module.serves_from for one in revisions(service) if hasattr(one.module, "serves_from")]
    assert said
    assert all(re.fullmatch(r"\d{4}", one) for one in said)
    assert said == sorted(said, reverse=True)


@pytest.mark.parametrize(
    ("statement", "is_taken"),
    [
        ('op.add_column("member", sa.Column("note", sa.Text))', False),
        ('op.add_column("member", sa.Column("note", sa.Text, nullable=False))', True),
        ('op.create_table("card", sa.Column("card_id", sa.Uuid, nullable=False),\n    )\n', False),
        ('op.drop_column("member", "note")', True),
        ('op.execute("alter table member rename column note to remark")', True),
        ('op.alter_column("member", "note", nullable=False)', True),
        ('op.create_unique_constraint("member_note", "member", ["note"])', True),
        ('op.execute("create unique index on member (note)")', True),
        ('op.execute("revoke update on member from membership")', True),
        ('op.execute("drop index ix_member_note")', False),
        ('op.drop_table("card")', True),
    ],
)
def test_what_a_statement_takes_away(statement: str, is_taken: bool) -> None:
    source = f"def upgrade() -> None:\n    {statement}\n\n\ndef downgrade() -> None:\n    op.drop_table('card')\n"
    assert takes_away(source) is is_taken


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
