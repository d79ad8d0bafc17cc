"""The generator of a city's data: its services agree, its audit log holds, and it touches no database with data."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from deploy.growth.background import Post
from deploy.growth.filling import NotEmpty, Size, fill, sizes
from deploy.growth.plans import all_questions
from deploy.growth.sample import take_sample
from deploy.invariants import System
from deploy.invariants.checker import _IN_DATABASES, audit_log_is_intact
from deploy.invariants.system import snapshots_of
from deploy.permissions import SERVICES
from deploy.retention_document import retention_of
from services.kit.data.retention import delete_expired
from services.membership.models import Member
from tests.databases import ROOT, DatabaseFactory
from tests.integration.conftest import TEST_SECRETS

pytestmark = pytest.mark.long("fills the databases of a city")

SIZE = Size(members=700, unions=3, months=2, audit_events=200)


@pytest.fixture
def urls(database: DatabaseFactory) -> Mapping[str, str]:
    urls = {service: database(service) for service in SERVICES}
    fill(urls, SIZE, lambda _: None)
    return urls


def violations(urls: Mapping[str, str]) -> list[str]:
    with snapshots_of(System(urls, {}, TEST_SECRETS)) as snapshots:
        return [str(violation) for find in _IN_DATABASES.values() for violation in find(snapshots)]


def test_what_is_made_violates_no_invariant(urls: Mapping[str, str]) -> None:
    assert violations(urls) == []


def test_a_filled_database_has_the_indexes_of_an_empty_one(urls: Mapping[str, str], database: DatabaseFactory) -> None:
    def indexes(url: str) -> set[tuple[str, str, bool, str, str | None]]:
        with create_engine(url).connect() as connection:
            found = connection.execute(
                text(
                    "select t.relname, c.relname, indisunique, indkey::text, pg_get_expr(indexprs, indrelid)"
                    " from pg_index join pg_class c on c.oid = indexrelid join pg_class t on t.oid = indrelid"
                    " where indisvalid and not c.relispartition and c.relnamespace = 'public'::regnamespace"
                )
            )
            return {tuple(row) for row in found}

    for service, url in urls.items():
        assert indexes(url) == indexes(database(service))


def test_the_audit_log_is_one_chain_over_several_months(urls: Mapping[str, str]) -> None:
    keys = {name: os.environ[name] for name in ("AUDIT_KEYS", "PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY")}
    assert list(audit_log_is_intact(System(urls, {}, keys))) == []
    with create_engine(urls["membership"]).connect() as connection:
        assert connection.scalar(text("select count(distinct month) from audit_entry")) >= 2
        assert connection.scalar(text("select count(*) from audit_entry")) == SIZE.audit_events


def test_members_are_of_all_states_and_can_be_read(urls: Mapping[str, str]) -> None:
    with Session(create_engine(urls["membership"])) as session:
        states = set(session.scalars(select(Member.card_state)))
        assert states == {"none", "pending", "submitted", "issued"}
        assert session.scalars(select(Member.document_number).limit(1)).one() == "310101199001011234"
        assert session.scalar(text("select count(*) from member")) == SIZE.members


def test_sizes_name_each_filled_table_once(urls: Mapping[str, str]) -> None:
    names = [line.split()[0] for line in sizes(urls)]
    assert len(names) == len(set(names))
    filled = {"membership.member", "membership.audit_entry", "batching.batch_person", "notification.past_sms"}
    assert filled <= set(names)


def test_databases_with_data_are_left_as_they_are(urls: Mapping[str, str]) -> None:
    with pytest.raises(NotEmpty, match="the database of membership is not empty"):
        fill(urls, SIZE, lambda _: None)


def command(urls: Mapping[str, str], *arguments: str, environment: str = "test") -> subprocess.CompletedProcess[str]:
    addresses = {f"DATABASE_URL_{service.upper()}": url for service, url in urls.items()}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "deploy.growth", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            **addresses,
            "BANK_HMAC_KEY": TEST_SECRETS["BANK_HMAC_KEY"],
            "ENVIRONMENT": environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_fills_and_measures_and_refuses_production(database: DatabaseFactory) -> None:
    empty = {service: database(service) for service in SERVICES}
    filled = command(empty, "fill", "--members", "60", "--unions", "2", "--months", "1")
    assert (filled.returncode, filled.stderr) == (0, "")
    assert "membership.audit_entry: 120" in filled.stdout
    assert "membership.member" in command(empty, "sizes").stdout
    again = command(empty, "fill", "--members", "60")
    assert (again.returncode, again.stderr) == (2, "the database of membership is not empty\n")
    refused = command(empty, "sizes", environment="production")
    assert (refused.returncode, "not with ENVIRONMENT=production" in refused.stderr) == (1, True)


def test_the_command_explains_each_question_and_leaves_the_data_as_they_are(urls: Mapping[str, str]) -> None:
    titles = [question.title for question in all_questions(take_sample(urls), Post(list))]
    explained = command(urls, "plans")
    assert (explained.returncode, explained.stderr) == (0, "")
    rows = [line.strip("| ").split(" | ") for line in explained.stdout.splitlines()[2:]]
    assert [title for title, *_ in rows] == titles
    assert [title for title, statements, *_ in rows if statements == "0"] == []
    assert len(set(titles)) == len(titles)
    assert violations(urls) == []
    with create_engine(urls["membership"]).connect() as connection:
        assert connection.scalar(text("select count(*) from outbox")) == 0


def test_the_command_shows_the_statements_of_some_questions(urls: Mapping[str, str]) -> None:
    explained = command(urls, "plans", "--only", "persons of a batch")
    assert len([line for line in explained.stdout.splitlines() if line.startswith("| ")]) == 3
    assert "FROM batch_person JOIN application" in explained.stdout.replace("\n", "")


def test_databases_that_hold_nothing_have_no_plans(database: DatabaseFactory) -> None:
    empty = command({service: database(service) for service in SERVICES}, "plans")
    assert (empty.returncode, empty.stderr) == (2, "membership has no unions\n")


def test_what_remains_after_years_of_retention_violates_no_invariant(database: DatabaseFactory) -> None:
    urls = {service: database(service) for service in SERVICES}
    fill(urls, Size(members=1600, unions=2, months=44, audit_events=40), lambda _: None)
    deleted: dict[str, int | None] = {}
    for service, url in urls.items():
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            deleted |= delete_expired(connection, retention_of(service), datetime.now(UTC))

    assert all(deleted[table] for table in ("application_history", "inbox_message", "check_finding"))
    assert violations(urls) == []
