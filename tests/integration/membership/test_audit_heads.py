"""Where the audit log ends is signed and remembered elsewhere: whoever rules over its database cannot cut it unseen."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from deploy.local.environment import ROOT
from services.common.audit_heads import public_keys, remember, signed, signing_keys, verified
from services.common.contracts.membership import AUDIT_HEAD_SIGNED
from services.common.key_sets import new_signing_keys, public_part
from services.common.messaging.failures import Reject
from services.common.persistence import audit_head
from services.common.secret_values import KeySet
from services.common.settings import read_settings
from services.membership import audit_log
from services.membership.audit_chain import AuditKeys
from services.membership.audit_heads import AuditHeads
from tests.integration.membership.office import Office
from tests.mothers import an_act

KEYS = AuditKeys.from_text(os.environ["AUDIT_KEYS"])
SIGNING, STRANGERS = new_signing_keys("audit-2026"), new_signing_keys("audit-2026")


@pytest.fixture
def heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuditHeads]:
    """What membership states by, and the file that it writes to."""
    settings = {"AUDIT_SIGNING_KEYS": SIGNING, "AUDIT_PUBLIC_KEYS": public_part(SIGNING), "AUDIT_HEAD_MINUTES": "0"}
    for name, value in {**settings, "AUDIT_HEAD_FILE": str(tmp_path / "heads")}.items():
        monkeypatch.setenv(name, value)
    yield set_up()
    read_settings.cache_clear()


def set_up() -> AuditHeads:
    """As a process of membership has it whose settings are those of now."""
    read_settings.cache_clear()
    made = AuditHeads()
    made.setup()
    return made


def keep(office: Office, heads: AuditHeads, count: int) -> None:
    for _ in range(count):
        with office.begin() as session:
            head = audit_log.append(session, KEYS, an_act(union_id=office.union.union_id))
            heads.write_when_committed(session, head)


def publish(office: Office, heads: AuditHeads) -> list[dict[str, Any]]:
    """What the other services are told in all."""
    with office.begin() as session:
        heads.publish(session)
    return office.told(AUDIT_HEAD_SIGNED)


def cut(office: Office, position: int) -> None:
    """By who rules over the database: the triggers are turned off first."""
    with office.begin() as session:
        session.execute(text("set session_replication_role = replica"))
        for table in ("audit_entry", "audit_head"):
            session.execute(text(f"delete from {table} where position > {position}"))
        session.execute(text("set session_replication_role = origin"))


def verdict(office: Office, *arguments: str, told: str = "") -> str:
    """What the command says that an operator runs each day."""
    url = office.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [sys.executable, "-W", "ignore", "-m", "services.membership.audit_verify", *arguments]
    environment = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(command, cwd=ROOT, env=environment, input=told, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().removeprefix("the log of acts does not hold: ")


def test_each_chunk_is_written_down_once_it_is_committed(office: Office, heads: AuditHeads, tmp_path: Path) -> None:
    keep(office, heads, 2)
    with office.begin() as session:
        undone = audit_log.append(session, KEYS, an_act(union_id=office.union.union_id))
        heads.write_when_committed(session, undone)
        session.rollback()
    keep(office, heads, 1)

    lines = (tmp_path / "heads").read_text().splitlines()
    assert [verified(line.split()[1], public_keys()).position for line in lines] == [1, 2, 3]
    assert (tmp_path / "heads").stat().st_mode & 0o077 == 0
    assert verdict(office, "--heads", str(tmp_path / "heads")).startswith("3 entries, chain intact")


def test_a_file_that_cannot_be_written_keeps_nothing_from_being_recorded(
    office: Office, heads: AuditHeads, tmp_path: Path
) -> None:
    (tmp_path / "heads").mkdir()
    keep(office, heads, 1)
    with office.begin() as session:
        assert audit_log.head(session).position == 1


def test_the_others_are_told_of_an_end_once_and_keep_it_for_good(office: Office, heads: AuditHeads) -> None:
    assert publish(office, heads) == []
    keep(office, heads, 3)
    assert [told["position"] for told in publish(office, heads)] == [3]
    assert len(publish(office, heads)) == 1, "nothing was added since"
    keep(office, heads, 1)
    [first, second] = publish(office, heads)
    for told in (second, first, second):  # in any order, and again
        with office.begin() as session:
            remember(session, told)
    with office.begin() as session:
        assert session.scalars(select(audit_head.c.position).order_by(audit_head.c.position)).all() == [3, 4]
    for statement in ("delete from audit_head", "truncate audit_head", "update audit_head set position = 1"):
        with pytest.raises(DBAPIError, match="never changes"), office.begin() as session:
            session.execute(text(statement))


def test_the_others_are_told_every_five_minutes_or_when_much_was_added(
    office: Office, heads: AuditHeads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUDIT_HEAD_MINUTES")
    monkeypatch.setenv("AUDIT_HEAD_ENTRIES", "4")
    rarely = set_up()
    positions = []
    for added in (2, 3, 1):
        keep(office, rarely, added)
        positions.append([told["position"] for told in publish(office, rarely)])
    assert positions == [[2], [2], [2, 6]], "a service keeps each for good"
    keep(office, rarely, 1)
    with office.begin() as session:
        session.execute(text("alter table audit_head disable trigger user"))
        session.execute(update(audit_head).values(heard_at=audit_head.c.heard_at - timedelta(minutes=5)))
        session.execute(text("alter table audit_head enable trigger user"))
    assert [told["position"] for told in publish(office, rarely)] == [2, 6, 7]

    cut(office, 5)

    assert len((tmp_path / "heads").read_text().splitlines()) == 7, "the file has an end for each chunk"
    assert verdict(office, "--heads", str(tmp_path / "heads")) == "entries 6 to 7 are missing: the end was cut off"


def test_a_cut_log_and_a_restored_one_lack_what_others_remember(
    office: Office, heads: AuditHeads, tmp_path: Path
) -> None:
    keep(office, heads, 5)
    [told] = publish(office, heads)
    written = (tmp_path / "heads").read_text()

    cut(office, 3)

    assert verdict(office).startswith("3 entries, chain intact"), "the chain alone does not tell"
    for heard in (f"{told['statement']}\n", written):
        assert verdict(office, "--heads", "-", told=heard) == "entries 4 to 5 are missing: the end was cut off"
    keep(office, heads, 4)  # it grows again, sealed and signed by membership itself
    assert len(publish(office, heads)) == 2
    for heard in (f"{told['statement']}\n", written):
        found = verdict(office, "--heads", "-", told=heard)
        assert found.endswith("is not the one whose hash was written down"), found


def test_who_holds_no_signing_key_makes_no_head(office: Office, heads: AuditHeads) -> None:
    keep(office, heads, 2)
    [stranger] = signing_keys(KeySet(STRANGERS), "AUDIT_SIGNING_KEYS", private=True)
    [told] = publish(office, heads)
    header, _, signature = told["statement"].split(".")
    _, payload, _ = signed(1, bytes(32), stranger).statement.split(".")
    forged = [signed(1, bytes(32), stranger).statement, f"{header}.{payload}.{signature}", f"{header}.{payload}.", ""]
    for statement in forged:
        with pytest.raises(Reject, match="audit_head_not_signed"), office.begin() as session:
            remember(session, {"position": 1, "statement": statement})
    with office.begin() as session:
        assert session.scalar(select(func.count()).select_from(audit_head)) == 1
    assert verdict(office, "--heads", "-", told=f"{forged[0]}\n").startswith("line 1 of the signed heads is not")


def test_an_old_key_still_verifies_what_it_signed(monkeypatch: pytest.MonkeyPatch, heads: AuditHeads) -> None:
    newer = new_signing_keys("audit-2027")
    both = json.dumps({"keys": [*json.loads(newer)["keys"], *json.loads(SIGNING)["keys"]]})
    monkeypatch.setenv("AUDIT_PUBLIC_KEYS", public_part(both))
    read_settings.cache_clear()
    for text_of_keys in (newer, SIGNING):
        [key] = signing_keys(KeySet(text_of_keys), "AUDIT_SIGNING_KEYS", private=True)
        assert verified(signed(7, bytes(32), key).statement, public_keys()).position == 7
