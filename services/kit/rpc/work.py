"""What a use case works with: the transaction, who calls, and the service's database."""

from dataclasses import dataclass
from typing import cast

from sqlalchemy.orm import Session

from services.kit.data.database import Database
from services.kit.rpc.request import Caller


@dataclass(frozen=True)
class Work:
    """One call of an operation. What is recorded of it in the audit log goes by the session (audit.record)."""

    _session: Session | None
    caller: Caller
    _database: Database | None = None

    @property
    def session(self) -> Session:
        """The transaction; an operation that uses no database has none."""
        return cast(Session, self._session)

    @property
    def database(self) -> Database:
        """For what stays though the transaction is rolled back, such as the count of wrong passwords."""
        return cast(Database, self._database)
