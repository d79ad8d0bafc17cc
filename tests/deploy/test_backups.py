"""A server that is backed up by pgBackRest: one of its databases comes back as it was at a moment, months included."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from deploy.local import backups, nodes
from deploy.local.environment import ROOT, database_password, keep_secrets
from deploy.local.postgres import Postgres, owner_of
from services.kit.data import migrate, months
from services.membership.audit import audit_log
from services.membership.audit.audit_archive import MONTHLY, archive_old
from services.membership.audit.audit_chain import BrokenChain, Head
from services.membership.audit.audit_verify import LostRange, TimedHead, verify
from tests.debian_packages import need_packages
from tests.integration.membership.office import Office
from tests.integration.membership.test_audit_archive import KEYS
from tests.mothers import an_audit_event

pytestmark = pytest.mark.deploy("a database server of its own, backed up by pgBackRest")

_FOLDER = ROOT / ".local" / "backed-up"
_SERVICE = "membership"
_OLD = date(2020, 1, 1)


@dataclass
class BackedUp:
    """A server with membership's database, of whose audit log January 2020 is in a file, and a backup of it."""

    node: Postgres
    office: Office
    archives: Path
    heads: list[Head]

    def url(self, role: str = _SERVICE) -> str:
        """The address for psycopg, as a role."""
        password = database_password(keep_secrets(_FOLDER), role)
        return self.node.url(_SERVICE, role, password).replace("+psycopg", "")

    def append(self, count: int = 3) -> list[Head]:
        """Appends entries to the audit log; returns its heads as other services remember them."""
        heads = []
        for _ in range(count):
            with self.office.begin() as session:
                head = audit_log.append(session, KEYS, [(an_audit_event(union_id=self.office.union.union_id), None)])
            assert head
            heads.append(TimedHead(head.position, head.hash, datetime.now(UTC)))
        self.heads += heads
        return list(heads)

    def restore(self, moment: datetime) -> backups.Restored:
        """Restores the database to a moment."""
        return backups.restore(_FOLDER, _SERVICE, moment, {}, print)

    def verified(self, *lost: LostRange) -> int:
        """The last position of the log, if it holds all heads but lost ones; raises BrokenChain."""
        with Session(
            create_engine(self.url().replace("postgresql", "postgresql+psycopg"), poolclass=NullPool)
        ) as session:
            return verify(session, KEYS, self.heads, lost, self.archives).position


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackedUp]:
    need_packages("pgbackrest")
    nodes.drop(_FOLDER)
    try:
        node, secrets = nodes.start_postgres(_FOLDER), keep_secrets(_FOLDER)
        passwords = [database_password(secrets, role) for role in (_SERVICE, owner_of(_SERVICE))]
        node.prepare_private_database(_SERVICE, *passwords)
        migrate.upgrade(_SERVICE, backups.owner_url(_FOLDER, _SERVICE))
        engine = create_engine(node.url(_SERVICE, _SERVICE, passwords[0]), poolclass=NullPool)
        made = BackedUp(node, Office(engine), tmp_path_factory.mktemp("archives"), [])
        _archive_an_old_month(made)
        made.append()
        assert backups.backup(_FOLDER).kind == "full"
        yield made
    finally:
        nodes.drop(_FOLDER)


def _archive_an_old_month(server: BackedUp) -> None:
    with psycopg.connect(server.url(owner_of(_SERVICE)), autocommit=True) as owner:
        for parent in MONTHLY:
            name, end = months.partition_name(parent, _OLD), months.later(_OLD)
            owner.execute(f"create table {name} partition of {parent} for values from ('{_OLD}') to ('{end}')")
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr(audit_log, "month_of", lambda _: _OLD)
        server.append()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        assert archive_old(connection, KEYS, server.archives, datetime.now(UTC) - timedelta(days=400)) == ["2020_01"]


def _partitions(server: BackedUp) -> set[str]:
    with psycopg.connect(server.url()) as connection:
        return {one.name for parent in MONTHLY for one in months.partitions_of(connection, parent)}


def _a_moment() -> datetime:
    """A moment between what was done and what comes."""
    time.sleep(1.5)
    moment = datetime.now(UTC)
    time.sleep(1.5)
    return moment


def test_a_lost_database_comes_back_with_its_months_and_names_the_entries_that_it_lacks(server: BackedUp) -> None:
    partitions, kept = _partitions(server), server.heads[-1].position
    moment = _a_moment()
    last = server.append()[-1].position
    server.node.drop_database(_SERVICE)

    restored = server.restore(moment)

    assert restored.replaced is None
    assert _partitions(server) == partitions
    with pytest.raises(BrokenChain, match=f"entries {kept + 1} to {last} are missing"):
        server.verified()
    assert server.verified(LostRange(kept + 1, last)) == kept
    _free(server)
    server.append()


def test_a_restored_database_takes_no_changes_of_its_service_and_has_its_rights(server: BackedUp) -> None:
    moment = _a_moment()
    restored = server.restore(moment)

    assert restored.replaced
    assert server.node.has_database(restored.replaced)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        assert connection.execute("select count(*) from audit_entry").fetchone() != (0,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("delete from outbox")
        connection.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("create table own (id int)")
        connection.execute("delete from outbox where false")
    _free(server)


@pytest.mark.parametrize(
    ("seconds", "why"), [(3600, "AT is in the future"), (-86400, "The oldest backup ended at")], ids=str
)
def test_a_moment_that_no_backup_reaches_is_refused_and_nothing_changes(
    server: BackedUp, seconds: float, why: str
) -> None:
    before = server.heads[-1]
    with pytest.raises(backups.BackupError, match=why):
        server.restore(datetime.now(UTC) + timedelta(seconds=seconds))
    with server.office.begin() as session:
        assert audit_log.head(session) == Head(before.position, before.hash)


def _free(server: BackedUp) -> None:
    """Lets the database take changes again, as a reconciliation does."""
    with psycopg.connect(server.url(owner_of(_SERVICE)), autocommit=True) as owner:
        owner.execute("set default_transaction_read_only = off")
        owner.execute(f"alter database {_SERVICE} reset default_transaction_read_only")
        owner.execute(f"comment on database {_SERVICE} is null")
