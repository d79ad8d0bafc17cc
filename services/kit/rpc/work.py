"""What a use case works with: the transaction, the caller, and the service's database."""

from dataclasses import dataclass
from typing import cast

from sqlalchemy.orm import Session

from services.kit.data.database import Database
from services.kit.rpc.request import Caller


@dataclass(frozen=True)
class Work:
    """One call of an operation. `audit.record` adds to its audit event through the session."""

    _session: Session | None
    caller: Caller
    _database: Database | None = None

    @property
    def session(self) -> Session:
        """The session in the call's transaction; fails for an operation that uses no database."""
        return cast(Session, self._session)

    @property
    def database(self) -> Database:
        """The database, for writes that must survive a rollback, such as the count of wrong passwords."""
        return cast(Database, self._database)
