"""The service's database: sessions, the kit's own tables, encrypted columns."""

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nameko.extensions import DependencyProvider
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Engine,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    QueuePool,
    Table,
    Text,
    create_engine,
    event,
    func,
    text,
)
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InvalidatePoolError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from services.kit.data.encryption import PersonalDataSettings, is_encrypted, keyring
from services.kit.data.fence import restored_to
from services.kit.data.replica import Replica, count_read, is_conflict
from services.kit.data.schema.versions import head_revision, why_not_served
from services.kit.operations import metrics
from services.kit.secret_values import Secret
from services.kit.settings import DatabaseSettings, read_settings

if TYPE_CHECKING:
    from services.kit.data.primary import Primary

Answer = TypeVar("Answer")

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


NAMES_KEYS = {"names_keys": True}
"""What a column says that lists the keys of personal data which something outside of the database needs."""
_OVERFLOW = 4
_READ_ONLY = "25006"
_NOT_WRITABLE = (_READ_ONLY, "53100")
"""SQLSTATEs: a read-only transaction, and a full disk."""
_FILL_A_FILE = text("select count(*) from generate_series(1, 10000)")
"""Exceeds 64 kB, so the database writes it to a temporary file: readiness detects a full disk by it."""
_IS_LIMITED = text("select '0' not in (current_setting('statement_timeout'), current_setting('lock_timeout'))")


class EncryptedText(TypeDecorator[str]):
    """Text that the database keeps encrypted (AES-GCM, bytea). It cannot be searched: keep a blind index beside it."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> bytes | None:
        """Encrypts on the way in."""
        return None if value is None else keyring().encrypt(value)

    def process_result_value(self, value: Any, dialect: Any) -> str | None:
        """Decrypts on the way out."""
        return None if value is None else keyring().decrypt(bytes(value)).decode()


class EncryptedBytes(TypeDecorator[bytes]):
    """Bytes that the database keeps encrypted, as EncryptedText keeps text."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Any) -> bytes | None:
        """Encrypts on the way in."""
        return None if value is None else keyring().encrypt(value)

    def process_result_value(self, value: Any, dialect: Any) -> bytes | None:
        """Decrypts on the way out."""
        return None if value is None else decrypted(bytes(value))


def decrypted(stored: bytes) -> bytes:
    """The decrypted value of an EncryptedBytes column that was read without SQLAlchemy; raises CannotDecrypt.

    A value that an earlier version left unencrypted is returned as it is.
    """
    return keyring().decrypt(stored) if is_encrypted(stored) else stored


_messaging = MetaData(naming_convention=NAMING)

outbox = Table(
    "outbox",
    _messaging,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("exchange", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", EncryptedBytes, nullable=False),
    Column("properties", JSON, nullable=False),
    Column("mandatory", Boolean, nullable=False),
    # The recipients of an event whose copies are not confirmed yet, separated by spaces.
    Column("recipients", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
)
inbox = Table(
    "inbox",
    _messaging,
    Column("consumer", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("handled_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_inbox_handled_at", "handled_at"),
)
handled_request = Table(
    "handled_request",
    _messaging,
    Column("account_id", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("answer", EncryptedText),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_handled_request_at", "at"),
)

audit_head = Table(
    "audit_head",
    _messaging,
    # Both columns are the key, for contradicting statements on one position are all kept.
    Column("position", BigInteger, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("statement", Text, nullable=False),
    Column("heard_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


def new_metadata() -> MetaData:
    """Metadata with naming conventions for constraints and with the kit's tables.

    Use it as `class Base(DeclarativeBase): metadata = new_metadata()`, so that type checkers know the base.
    """
    metadata = MetaData(naming_convention=NAMING)
    for table in _messaging.sorted_tables:
        table.to_metadata(metadata)
    return metadata


def create_messaging_tables(op: Any) -> None:
    """Creates the kit's tables in an Alembic revision; the outbox is vacuumed often, for its rows are short-lived."""
    _messaging.create_all(op.get_bind())
    op.execute("alter table outbox set (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000)")


def add_outbox_recipients(op: Any) -> None:
    """Adds the outbox's recipients column within an Alembic revision; a new database has it from its first revision."""
    op.execute("alter table outbox add column if not exists recipients text")


def drop_outbox_recipients(op: Any) -> None:
    """Drops the recipients column; the previous release sends one copy to all."""
    op.execute("alter table outbox drop column if exists recipients")


def add_audit_heads(op: Any) -> None:
    """Adds the append-only table of signed audit-log heads, within an Alembic revision."""
    audit_head.create(op.get_bind(), checkfirst=True)
    make_append_only(op, audit_head.name, [], "What is remembered of the audit log never changes.")


def drop_audit_heads(op: Any) -> None:
    """Drops the table of signed audit-log heads."""
    op.execute(f"drop table {audit_head.name}")
    op.execute(f"drop function keep_{audit_head.name}")


def drop_messaging_tables(op: Any) -> None:
    """Drops the kit's tables within an Alembic revision."""
    _messaging.drop_all(op.get_bind())


def make_append_only(op: Any, table: str, encrypted: Sequence[str], message: str) -> None:
    """Makes a table append-only in an Alembic revision: the database refuses changes and deletes with `message`.

    Only encrypted columns may change, and only to values under another key; their content is proved elsewhere.
    """
    same_key = " or ".join(
        f"(new.{name} is distinct from old.{name} and coalesce({_key_of('new', name)} = {_key_of('old', name)}, true))"
        for name in encrypted
    )
    others = " - ".join(["to_jsonb({row})", *(f"'{name}'" for name in encrypted)])
    op.execute(
        f"""
        create function keep_{table}() returns trigger language plpgsql as $$
        begin
            if tg_op <> 'UPDATE' then
                raise exception '{message}';
            end if;
            if {others.format(row="new")} is distinct from {others.format(row="old")} or {same_key or "false"} then
                raise exception '{message}';
            end if;
            return new;
        end $$
        """
    )
    op.execute(f"create trigger keep_{table} before update on {table} for each row execute function keep_{table}()")
    op.execute(
        f"create trigger keep_all_{table} before delete or truncate on {table} "
        f"for each statement execute function keep_{table}()"
    )


def allow_expiry(op: Any, table: str, moment: str, days: int, message: str) -> None:
    """Lets rows of an append-only table be deleted within an Alembic revision, but none younger than so many days."""
    op.execute(
        f"""
        create function keep_young_{table}() returns trigger language plpgsql as $$
        begin
            if old.{moment} > now() - interval '{days} days' then
                raise exception '{message}';
            end if;
            return old;
        end $$
        """
    )
    op.execute(f"drop trigger keep_all_{table} on {table}")
    op.execute(
        f"create trigger keep_all_{table} before truncate on {table} for each statement execute function keep_{table}()"
    )
    op.execute(
        f"create trigger keep_young_{table} before delete on {table} for each row execute function keep_young_{table}()"
    )


def refuse_expiry(op: Any, table: str) -> None:
    """Undoes `allow_expiry`."""
    op.execute(f"drop trigger keep_young_{table} on {table}")
    op.execute(f"drop function keep_young_{table}()")
    op.execute(f"drop trigger keep_all_{table} on {table}")
    op.execute(
        f"create trigger keep_all_{table} before delete or truncate on {table} "
        f"for each statement execute function keep_{table}()"
    )


def _key_of(row: str, column: str) -> str:
    """SQL for the bytes of an encrypted value that name its key."""
    return f"substring({row}.{column} from 1 for 2 + get_byte({row}.{column}, 1))"


class WriteInReadOnlyTransaction(RuntimeError):
    """Our own code tried to write in a read-only transaction, although the database takes changes."""


class Database(DependencyProvider):
    """The service's database as a dependency: `self.database.begin()` and `self.database.read()`."""

    settings_classes = (DatabaseSettings, PersonalDataSettings)
    """What a service with a database needs; the runner reads them before it starts anything."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.replica: Replica | None = None
        self._is_pooled = False

    def check_keys(self) -> None:
        """Raises SettingsError where the keys of personal data cannot be read."""
        keyring()

    def setup(self) -> None:
        """Creates the engine; connections are opened when they are needed."""
        settings = read_settings(DatabaseSettings)
        self._is_pooled = settings.is_pooled
        self.engine = engine_for(settings, self.container.service_name)
        if settings.database_replica_url:
            engine = engine_for(settings, self.container.service_name, settings.database_replica_url)
            self.replica = Replica(engine, settings.database_replica_lag_seconds)
        if isinstance(pool := self.engine.pool, QueuePool):
            metrics.database_connections.set_function(pool.checkedout)
            metrics.database_connections_limit.set(settings.max_workers + _OVERFLOW)

    def why_not_ready(self) -> str | None:
        """Why the service cannot use its database, such as tables of another version; None where it can."""
        if self.engine is None:
            return "the database is not set up"
        code = head_revision(Path(inspect.getfile(self.container.service_cls)).parent)
        try:
            with self.engine.connect() as connection:
                not_served = why_not_served(connection, code) if code else None
                is_read_only = connection.scalar(text("select current_setting('transaction_read_only')::boolean"))
                is_limited = not self._is_pooled or connection.scalar(_IS_LIMITED)
                fenced = restored_to(connection) if is_read_only else None
                connection.execute(text("set local work_mem = '64kB'"))
                connection.execute(_FILL_A_FILE)
        except SQLAlchemyError as error:
            if is_not_writable(error):
                return "the database takes no changes: its disk is full"
            return f"the database does not answer ({type(error).__name__})"
        if is_read_only:
            return _why_read_only(fenced)
        if not is_limited:
            return "the database's role has no statement_timeout or lock_timeout, which a pooler needs"
        return not_served

    def stop(self) -> None:
        """Closes the pools."""
        if self.engine is not None:
            self.engine.dispose()
        if self.replica is not None:
            self.replica.engine.dispose()

    def get_dependency(self, worker_ctx: Any) -> "Database":
        """The database itself: it is safe for many workers."""
        return self

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A session in a transaction: committed at the end, rolled back on an error."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session in a read-only transaction; raises WriteInReadOnlyTransaction."""
        with _read_only(self.engine) as session:
            yield session

    def answer(self, query: Callable[[Session], Answer], *, may_lag: bool) -> Answer:
        """The query's answer in a read-only transaction: of the replica, if the answer may be old and it keeps up.

        A replica that cannot answer does no harm: the primary is asked then. Raises WriteInReadOnlyTransaction.
        """
        replica = self.replica if may_lag else None
        if replica is not None and replica.is_usable():
            try:
                with _read_only(replica.engine) as session:
                    answered = query(session)
            except (DBAPIError, TimeoutError) as error:
                if not (is_database_unavailable(error) or is_conflict(error)):
                    raise
                replica.failed(error)
            else:
                count_read("replica")
                return answered
        with self.read() as session:
            answered = query(session)
        if replica is not None:
            count_read("primary")
        return answered


def _why_read_only(restored: datetime | None) -> str:
    if restored is None:
        return "the database takes no changes: it is read-only"
    return f"the database was restored to {restored.isoformat()} and takes no changes until it is reconciled"


@contextmanager
def _read_only(engine: Engine | None) -> Iterator[Session]:
    with Session(engine, expire_on_commit=False) as session, session.begin():
        session.connection(execution_options={"postgresql_readonly": True})
        try:
            yield session
        except DBAPIError as error:
            if _sqlstate(error) == _READ_ONLY:
                raise WriteInReadOnlyTransaction from error
            raise


def engine_for(settings: DatabaseSettings, application_name: str, replica: Secret | None = None) -> Engine:
    """An engine with a connection for each worker, bounded waits, and connections that are checked before use.

    `replica` is the address of standbys instead of the primary.
    """
    from services.kit.data.primary import primary_of, replica_of  # noqa: PLC0415 - the gateway needs no psycopg

    primary = replica_of(replica) if replica else primary_of(settings.database_url)
    arguments: dict[str, Any] = {"application_name": application_name}
    if settings.is_pooled:
        # A pooler takes no startup options, which the role has instead, and prepared statements stay behind in it.
        arguments["prepare_threshold"] = None
    else:
        arguments["options"] = " ".join(f"-c {name}={value}" for name, value in settings.session_limits.items())
    engine = create_engine(
        "postgresql+psycopg://",
        creator=partial(primary.connect, **arguments),
        pool_size=settings.max_workers,
        max_overflow=_OVERFLOW,
        pool_pre_ping=True,
        pool_timeout=10,
        hide_parameters=True,
    )
    event.listen(engine, "checkin", _reset_read_only)
    if primary.may_move:
        _leave_former_primaries(engine, primary)
    return engine


def _leave_former_primaries(engine: Engine, primary: "Primary") -> None:
    """Drops pooled connections to a server when a connection to its successor has been made."""

    def note(_connection: Any, record: Any) -> None:
        record.info["timeline"] = primary.timeline

    def refuse_older(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["timeline"] < primary.timeline:
            raise InvalidatePoolError("its server is a former primary")

    event.listen(engine, "connect", note)
    event.listen(engine, "checkout", refuse_older)


def _reset_read_only(connection: Any, _record: Any) -> None:
    """Resets the read-only mode of a connection; SQLAlchemy would request writing even of a read-only database."""
    if connection is not None and not connection.closed and connection.read_only is not None:
        connection.read_only = None


def is_not_writable(error: BaseException) -> bool:
    """Whether an SQLAlchemy error says that the database is read-only or its disk full; it may still answer queries."""
    return isinstance(error, DBAPIError) and _sqlstate(error) in _NOT_WRITABLE


def is_database_unavailable(error: BaseException) -> bool:
    """Whether an SQLAlchemy error says that the database cannot be reached, is shutting down or takes no changes.

    Such an error does not depend on the statement.
    """
    if isinstance(error, TimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    sqlstate = _sqlstate(error)
    if sqlstate is None:
        return error.connection_invalidated or isinstance(error, OperationalError)
    is_away = sqlstate[:2] in ("08", "53") or sqlstate[:3] == "57P"
    return is_away or sqlstate in _NOT_WRITABLE or error.connection_invalidated


def exceeds_limits(error: OperationalError) -> bool:
    """Whether the statement exceeds a limit of the database (SQLSTATE class 54), so that it can never succeed."""
    return str(_sqlstate(error)).startswith("54")


def is_violated(error: IntegrityError, constraints: Collection[str]) -> bool:
    """Whether the error is a violation of one of these constraints or unique indexes."""
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None) in constraints


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
