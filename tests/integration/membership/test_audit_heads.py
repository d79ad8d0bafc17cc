"""Signed heads of the audit log, kept by other services, reveal a truncated log."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from deploy.local.environment import ROOT
from services.contracts.events.membership import AUDIT_HEAD_SIGNED, AuditHeadSignedData
from services.kit.data.database import audit_head
from services.kit.events.failures import Reject
from services.kit.key_sets import new_signing_keys, public_part
from services.kit.operations.audit_heads import handle_signed_head, public_keys, signed, signing_keys, verified
from services.kit.secret_values import KeySet
from services.kit.settings import read_settings
from services.membership.audit import audit_log, audit_verify
from services.membership.audit.audit_chain import AuditKeys, BrokenChain
from services.membership.audit.audit_heads import AuditHeads
from services.membership.audit.audit_verify import LostRange
from tests.documents import an_event
from tests.integration.membership.office import Office
from tests.mothers import an_audit_event

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
            head = audit_log.append(session, KEYS, [(an_audit_event(union_id=office.union.union_id), None)])
            heads.write_when_committed(session, head)


def publish(office: Office, heads: AuditHeads) -> list[dict[str, Any]]:
    """All heads that were published to other services."""
    with office.begin() as session:
        heads.publish(session)
    return office.published(AUDIT_HEAD_SIGNED)


def cut(office: Office, position: int) -> None:
    """By who rules over the database: the triggers are turned off first."""
    with office.begin() as session:
        session.execute(text("set session_replication_role = replica"))
        for table in ("audit_entry", "audit_head"):
            session.execute(text(f"delete from {table} where position > {position}"))
        session.execute(text("set session_replication_role = origin"))


def verdict(office: Office, *arguments: str, published: str = "") -> str:
    """The first line that the command says that an operator runs each day."""
    said = checked(office, *arguments, published=published)[1]
    return said.splitlines()[0].removeprefix("the audit log does not hold: ")


def checked(office: Office, *arguments: str, published: str = "") -> tuple[int, str]:
    """How it ends, and all that it says."""
    url = office.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [sys.executable, "-W", "ignore", "-m", "services.membership.audit.audit_verify", *arguments]
    environment = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, input=published, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_each_chunk_is_written_down_once_it_is_committed(office: Office, heads: AuditHeads, tmp_path: Path) -> None:
    keep(office, heads, 2)
    with office.begin() as session:
        undone = audit_log.append(session, KEYS, [(an_audit_event(union_id=office.union.union_id), None)])
        heads.write_when_committed(session, undone)
        session.rollback()
    keep(office, heads, 1)

    lines = (tmp_path / "heads").read_text().splitlines()
    assert [verified(line.split()[1], public_keys()).position for line in lines] == [1, 2, 3]
    assert (tmp_path / "heads").stat().st_mode & 0o077 == 0
    assert verdict(office, "--heads", str(tmp_path / "heads")).startswith("3 entries, chain intact")


def test_published_heads_are_counted_once_they_are_committed(office: Office, heads: AuditHeads) -> None:
    began, counted = time.time(), _measured("audit_heads_published_total")
    keep(office, heads, 1)
    with office.begin() as session:
        heads.publish(session)
        session.rollback()
    assert _measured("audit_heads_published_total") == counted

    publish(office, heads)
    publish(office, heads)
    assert _measured("audit_heads_published_total") == counted + 1
    assert _measured("audit_heads_checked_timestamp_seconds") >= began


def _measured(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0


def test_a_file_that_cannot_be_written_keeps_nothing_from_being_recorded(
    office: Office, heads: AuditHeads, tmp_path: Path
) -> None:
    (tmp_path / "heads").mkdir()
    keep(office, heads, 1)
    with office.begin() as session:
        assert audit_log.head(session).position == 1


def test_a_head_is_published_once_and_stored_permanently(office: Office, heads: AuditHeads, tmp_path: Path) -> None:
    assert publish(office, heads) == []
    keep(office, heads, 3)
    (tmp_path / "heads").unlink()
    assert [published["position"] for published in publish(office, heads)] == [3]
    assert (tmp_path / "heads").read_text().startswith("3:"), "whoever appends may be killed before it writes"
    assert len(publish(office, heads)) == 1, "nothing was added since"
    keep(office, heads, 1)
    [first, second] = publish(office, heads)
    for published in (second, first, second):  # in any order, and again
        with office.begin() as session:
            handle_signed_head(session, an_event(AUDIT_HEAD_SIGNED.read(published)))
    with office.begin() as session:
        assert session.scalars(select(audit_head.c.position).order_by(audit_head.c.position)).all() == [3, 4]
    for statement in ("delete from audit_head", "truncate audit_head", "update audit_head set position = 1"):
        with pytest.raises(DBAPIError, match="never changes"), office.begin() as session:
            session.execute(text(statement))


def test_heads_are_published_every_five_minutes_or_when_much_was_added(
    office: Office, heads: AuditHeads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUDIT_HEAD_MINUTES")
    monkeypatch.setenv("AUDIT_HEAD_ENTRIES", "4")
    rarely = set_up()
    positions = []
    for added in (2, 3, 1):
        keep(office, rarely, added)
        positions.append([published["position"] for published in publish(office, rarely)])
    assert positions == [[2], [2], [2, 6]], "a service keeps each for good"
    keep(office, rarely, 1)
    five_minutes_later = time.monotonic() + 300
    monkeypatch.setattr(
        "services.membership.audit.audit_heads.time", SimpleNamespace(monotonic=lambda: five_minutes_later)
    )
    assert [published["position"] for published in publish(office, rarely)] == [2, 6, 7]

    cut(office, 5)

    assert len((tmp_path / "heads").read_text().splitlines()) == 10, "an end for each chunk and each telling"
    assert verdict(office, "--heads", str(tmp_path / "heads")) == "entries 6 to 7 are missing: the end was cut off"


def test_a_cut_log_and_a_restored_one_lack_what_others_remember(
    office: Office, heads: AuditHeads, tmp_path: Path
) -> None:
    keep(office, heads, 5)
    [published] = publish(office, heads)
    written = (tmp_path / "heads").read_text()

    cut(office, 3)

    assert verdict(office).startswith("3 entries, chain intact"), "the chain alone does not tell"
    for heard in (f"{published['statement']}\n", written):
        assert verdict(office, "--heads", "-", published=heard) == "entries 4 to 5 are missing: the end was cut off"
    keep(office, heads, 4)  # it grows again, hashed and signed by membership itself
    assert len(publish(office, heads)) == 2
    for heard in (f"{published['statement']}\n", written):
        found = verdict(office, "--heads", "-", published=heard)
        assert found.endswith("is not the one whose hash was written down"), found


def test_who_holds_no_signing_key_makes_no_head(office: Office, heads: AuditHeads) -> None:
    keep(office, heads, 2)
    [stranger] = signing_keys(KeySet(STRANGERS), "AUDIT_SIGNING_KEYS", private=True)
    [published] = publish(office, heads)
    header, _, signature = published["statement"].split(".")
    _, payload, _ = signed(1, bytes(32), stranger).statement.split(".")
    forged = [signed(1, bytes(32), stranger).statement, f"{header}.{payload}.{signature}", f"{header}.{payload}.", ""]
    for statement in forged:
        with pytest.raises(Reject, match="audit_head_not_signed"), office.begin() as session:
            handle_signed_head(session, an_event(AuditHeadSignedData(position=1, statement=statement)))
    with office.begin() as session:
        assert session.scalar(select(func.count()).select_from(audit_head)) == 1
    assert verdict(office, "--heads", "-", published=f"{forged[0]}\n").startswith("2 entries, chain intact")


def test_a_strange_line_is_named_and_keeps_nothing_from_being_verified(
    office: Office, heads: AuditHeads, tmp_path: Path
) -> None:
    keep(office, heads, 3)
    with (tmp_path / "heads").open("ab") as file:
        file.write(b"4:00 eyJhbGciOi\xff")
    code, said = checked(office, "--heads", str(tmp_path / "heads"))
    assert code == 1
    assert said.startswith("3 entries, chain intact")
    assert "line 4 of the signed heads ('4:00') is not membership's" in said
    cut(office, 2)
    assert "entries 3 to 3 are missing" in checked(office, "--heads", str(tmp_path / "heads"))[1]


def test_memberships_own_table_does_not_prevent_the_publication_of_a_head(office: Office, heads: AuditHeads) -> None:
    keep(office, heads, 2)
    with office.begin() as session:
        session.execute(audit_head.insert().values(position=10**9, hash=b"", statement="told already"))
        end = audit_log.head(session)
        session.execute(audit_head.insert().values(position=end.position, hash=end.hash, statement="this one too"))
    assert [published["position"] for published in publish(office, heads)] == [2]


def test_a_noted_loss_excuses_what_was_lost_and_nothing_after_it(
    office: Office, heads: AuditHeads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.membership.audit.audit_verify._STATED_AT_ONCE", timedelta())
    file = str(tmp_path / "heads")
    keep(office, heads, 5)
    publish(office, heads)
    cut(office, 2)  # yesterday's backup
    keep(office, heads, 2)  # 3 and 4 anew

    def found(*lost: str) -> str:
        try:
            known = list(audit_verify._signed_heads(file, []))
            with office.begin() as session:
                return str(audit_verify.verify(session, KEYS, known, [LostRange.from_text(gap) for gap in lost]))
        except BrokenChain as broken:
            return str(broken)

    assert found() == "entry 3 is not the one whose hash was written down"
    assert found("3-5").startswith("4:")
    assert found("4-5") == "entry 3 is not the one whose hash was written down"
    assert found("3-4") == "entries 5 to 5 are missing: the end was cut off"
    assert verdict(office, "--heads", file, "--lost", "5-3") == "No entries are from 5 to 3."
    cut(office, 3)
    assert found("3-5") == "entries 4 to 4 are missing: the end was cut off", "cut anew, within the noted gap"
    keep(office, heads, 4)
    assert found("3-5").endswith("is not the one whose hash was written down")


def test_an_old_key_still_verifies_what_it_signed(monkeypatch: pytest.MonkeyPatch, heads: AuditHeads) -> None:
    newer = new_signing_keys("audit-2027")
    both = json.dumps({"keys": [*json.loads(newer)["keys"], *json.loads(SIGNING)["keys"]]})
    monkeypatch.setenv("AUDIT_PUBLIC_KEYS", public_part(both))
    read_settings.cache_clear()
    for text_of_keys in (newer, SIGNING):
        [key] = signing_keys(KeySet(text_of_keys), "AUDIT_SIGNING_KEYS", private=True)
        assert verified(signed(7, bytes(32), key).statement, public_keys()).position == 7
