"""Production does not start on a database that holds accounts of the demo: everybody knows their password."""

import time
from collections.abc import Callable

import structlog
from nameko.extensions import DependencyProvider
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from services.kit.data.database import engine_for
from services.kit.settings import DatabaseSettings, SettingsError, is_production, read_settings
from services.membership.models import Account
from services.membership.seed import demo_account_ids

log = structlog.get_logger()
_PAUSE_SECONDS = 1


class DemoAccountsFound(SettingsError):
    """The database was filled for a demonstration."""


class NoDemoAccounts(DependencyProvider):
    """Keeps membership from starting in production where there are accounts of the demo; waits for the database."""

    def setup(self) -> None:
        """Raises DemoAccountsFound."""
        if not is_production():
            return
        engine = engine_for(read_settings(DatabaseSettings), "membership-start")
        try:
            refuse_demo_accounts(engine)
        finally:
            engine.dispose()


def refuse_demo_accounts(engine: Engine, sleep: Callable[[float], None] = time.sleep) -> None:
    """Raises DemoAccountsFound; while the database is away, or has no tables yet, it is asked again."""
    while (names := _demo_accounts(engine)) is None:
        sleep(_PAUSE_SECONDS)
    if names:
        raise DemoAccountsFound(
            f"The database holds accounts of the demo: {', '.join(names)}. Production needs a database of its own: "
            "name an empty one in DATABASE_URL, migrate it, and make its first administrator "
            "(docs/operations.md, Processes)."
        )


def _demo_accounts(engine: Engine) -> list[str] | None:
    """Their names; None where the database cannot tell."""
    chosen = select(Account.account_name).where(Account.account_id.in_(demo_account_ids()))
    try:
        with engine.connect() as connection:
            return sorted(connection.scalars(chosen))
    except SQLAlchemyError as error:
        log.warning("demo_accounts_unknown", error=type(error).__name__)
        return None
