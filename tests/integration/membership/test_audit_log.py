"""The audit log: one append-only chain, in which later changes are detected and located."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from services.contracts.events.audit import ActRecordedData
from services.kit.data.encryption import Keyring
from services.membership.audit import audit_log
from services.membership.audit.audit_chain import START, AuditKeys, BrokenChain, Head
from services.membership.audit.audit_verify import verify
from services.membership.models import AuditEntry, AuditScope
from tests.databases import ROOT
from tests.integration.membership.office import Office
from tests.mothers import an_audit_event

KEYS = AuditKeys.from_text(os.environ["AUDIT_KEYS"])


def keep(office: Office, *audit_events: ActRecordedData) -> None:
    for audit_event in audit_events:
        with office.begin() as session:
            audit_log.append(session, KEYS, [(audit_event, None)])


def some_audit_events(office: Office, count: int = 5) -> list[ActRecordedData]:
    return [an_audit_event(union_id=office.union.union_id) for _ in range(count)]


def verified(office: Office, *known: Head) -> Head:
    with office.begin() as session:
        return verify(session, KEYS, known)


def why_broken(office: Office, *known: Head) -> str:
    with pytest.raises(BrokenChain) as broken:
        verified(office, *known)
    return str(broken.value)


def as_superuser(office: Office, *statements: str) -> None:
    """What who rules over the database can do: triggers are turned off first."""
    with office.begin() as session:
        for statement in ("set session_replication_role = replica", *statements):
            session.execute(text(statement))
        session.execute(text("set session_replication_role = origin"))


@pytest.fixture
def log_of_five(office: Office) -> Office:
    keep(office, *some_audit_events(office))
    return office


def test_an_empty_log_holds(office: Office) -> None:
    assert verified(office) == START


def test_audit_events_are_stored_in_one_chain(log_of_five: Office) -> None:
    end = verified(log_of_five)
    with log_of_five.begin() as session:
        assert audit_log.head(session) == end
        positions = session.scalars(select(AuditEntry.position).order_by(AuditEntry.position)).all()
    assert (end.position, positions) == (5, [1, 2, 3, 4, 5])


def test_an_audit_event_is_stored_once_however_often_it_is_delivered(office: Office) -> None:
    audit_event = an_audit_event(union_id=office.union.union_id)
    keep(office, audit_event, audit_event)
    assert verified(office).position == 1


def test_an_audit_event_is_in_the_scope_of_its_unions_and_all_their_superiors(office: Office) -> None:
    audit_event = an_audit_event(union_id=office.union.union_id, union_ids=[office.other.union_id])
    keep(office, audit_event)
    with office.begin() as session:
        reached = set(session.scalars(select(AuditScope.union_id)))
    unions = (office.union, office.superior, office.city, office.other)
    assert reached == {union.union_id for union in unions}


def test_an_audit_event_of_an_unknown_caller_is_in_the_citys_scope(office: Office) -> None:
    keep(office, an_audit_event(account_id=None, account_name=None, union_id=None))
    with office.begin() as session:
        assert session.scalars(select(AuditScope.union_id)).all() == [office.city.union_id]


def test_concurrent_appends_make_one_chain(office: Office) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda audit_event: keep(office, audit_event), some_audit_events(office, 40)))
    assert verified(office).position == 40


def test_audit_events_that_come_together_are_one_chain_in_their_order(office: Office) -> None:
    keep(office, known := an_audit_event(union_id=office.union.union_id))
    late_at = datetime.now(UTC)
    acts = [
        an_audit_event(union_id=office.union.union_id),
        an_audit_event(account_id=None, account_name=None, problem_code="wrong_password", outcome="refused"),
        an_audit_event(union_id=office.union.union_id, member_id=uuid4(), origin=None),
    ]
    given = [(acts[0], None), (known, None), (acts[1], late_at), (acts[0], late_at), (acts[2], None)]
    with office.begin() as session:
        end = audit_log.append(session, KEYS, given)
    with office.begin() as session:
        assert audit_log.append(session, KEYS, given) is None
    assert verified(office) == end
    with office.begin() as session:
        stored = session.scalars(select(AuditEntry).order_by(AuditEntry.position)).all()
        scopes = dict(session.execute(select(AuditScope.act_id, func.count()).group_by(AuditScope.act_id)).all())
    assert [one.position for one in stored] == [1, 2, 3, 4]
    assert [one.act_id for one in stored] == [known.act_id, *(act.act_id for act in acts)]
    assert [one.recorded_at for one in stored] == [None, None, late_at, None]
    assert [scopes[one.act_id] for one in stored] == [len(one.unions) for one in stored]


def test_sets_that_are_appended_at_the_same_time_are_one_chain(office: Office) -> None:
    acts = some_audit_events(office, 30)

    def keep_some(start: int) -> None:
        with office.begin() as session:
            audit_log.append(session, KEYS, [(act, None) for act in acts[start : start + 10]])

    with ThreadPoolExecutor(5) as processes:
        list(processes.map(keep_some, range(0, 25, 5)))
    assert verified(office).position == 30


def test_a_late_audit_event_is_stored_with_both_times_and_neither_can_be_changed(office: Office) -> None:
    came_at = datetime(2099, 1, 1, tzinfo=UTC)
    with office.begin() as session:
        audit_log.append(session, KEYS, [(an_audit_event(union_id=office.union.union_id), came_at)])
    keep(office, *some_audit_events(office, 1))
    with office.begin() as session:
        kept = session.scalars(select(AuditEntry.recorded_at).order_by(AuditEntry.position)).all()

    assert kept == [came_at, None]
    assert verified(office).position == 2
    as_superuser(office, "update audit_entry set recorded_at = null where position = 1")
    assert why_broken(office) == "entry 1 was changed"


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_entry set action = 'membership.sign_in' where position = 2",
        "delete from audit_entry where position = 2",
        "truncate audit_entry",
        "update audit_reach set action = 'membership.sign_in'",
        "delete from audit_reach",
        "truncate audit_reach",
    ],
)
def test_the_database_refuses_to_change_the_log(log_of_five: Office, statement: str) -> None:
    with pytest.raises(DBAPIError, match="only added to"), log_of_five.begin() as session:
        session.execute(text(statement))
    assert verified(log_of_five).position == 5


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("update audit_entry set account_name = 'nobody' where position = 3", "entry 3 was changed"),
        ("update audit_entry set records = '{}' where position = 5", "entry 5 was changed"),
        ("update audit_entry set at = at - interval '1 day' where position = 1", "entry 1 was changed"),
        ("update audit_entry set personal = 'x' where position = 2", "entry 2 was changed: its personal part"),
        (
            "update audit_entry set personal = (select personal from audit_entry where position = 1),"
            " act_id = gen_random_uuid() where position = 4",
            "entry 4 was changed",
        ),
        ("delete from audit_entry where position = 3", "entry 3 is missing"),
        ("delete from audit_entry where position < 3", "entries 1 to 2 are missing"),
        (
            "update audit_entry set position = 10 - position where position in (2, 3);"
            "update audit_entry set position = position - 5 where position in (7, 8)",
            "entry 2 does not follow entry 1",
        ),
        (
            "delete from audit_entry where position = 3; update audit_entry set position = position - 1"
            " where position > 3",
            "entry 3 does not follow entry 2",
        ),
        (
            "delete from audit_reach where act_id = (select act_id from audit_entry where position = 4)",
            "entry 4 is hidden",
        ),
        ("update audit_reach set outcome = 'refused'", "entry 1 is hidden"),
        ("update audit_reach set account_id = null", "entry 1 is hidden"),
    ],
)
def test_what_the_superuser_changes_is_named(log_of_five: Office, statement: str, why: str) -> None:
    as_superuser(log_of_five, *statement.split(";"))
    assert why_broken(log_of_five).startswith(why)


def test_a_cut_tail_shows_against_a_head_that_was_written_down(log_of_five: Office) -> None:
    head = verified(log_of_five)
    as_superuser(log_of_five, "delete from audit_entry where position > 3")
    assert verified(log_of_five).position == 3
    assert why_broken(log_of_five, head) == "entries 4 to 5 are missing: the end was cut off"


def test_a_tail_that_was_cut_and_grew_again_shows_against_the_head(log_of_five: Office) -> None:
    head = verified(log_of_five)
    as_superuser(log_of_five, "delete from audit_entry where position > 3")
    keep(log_of_five, *some_audit_events(log_of_five, 4))
    assert why_broken(log_of_five, head) == "entry 5 is not the one whose hash was written down"


def test_the_personal_part_can_be_encrypted_by_another_key(
    log_of_five: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Keyring.from_text(f"new1:{'A' * 43}=,{os.environ['PERSONAL_DATA_KEYS']}")
    for module in ("database", "encryption"):
        monkeypatch.setattr(f"services.kit.data.{module}.keyring", lambda: both)
    monkeypatch.setattr("services.membership.audit.audit_archive.keyring", lambda: both)
    with log_of_five.begin() as session:
        for entry in session.scalars(select(AuditEntry)):
            anew = update(AuditEntry).where(AuditEntry.position == entry.position).values(personal=entry.personal)
            session.execute(anew.execution_options(synchronize_session=False))
    with log_of_five.begin() as session:
        assert session.scalar(
            text("select bool_and(position('new1' in encode(personal, 'escape')) > 0) from audit_entry")
        )
    assert verified(log_of_five).position == 5


def test_the_command_says_how_far_the_chain_holds_and_where_it_does_not(log_of_five: Office) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        url = log_of_five.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return subprocess.run(
            [sys.executable, "-m", "services.membership.audit.audit_verify", *arguments],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )

    head = verified(log_of_five)
    held = command("--head", str(head))
    assert (held.returncode, held.stdout.partition(" (")[0]) == (0, f"5 entries, chain intact to {head}")
    as_superuser(log_of_five, "delete from audit_entry where position = 2")
    broken = command()
    assert (broken.returncode, broken.stderr) == (1, "the audit log does not hold: entry 2 is missing\n")
    assert command("--head", "nonsense").returncode == 2
