"""Prevents production on a database with demo accounts, whose password is public."""

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
    """The database holds demo accounts."""


class NoDemoAccounts(DependencyProvider):
    """Prevents membership from starting in production where demo accounts exist; waits for the database."""

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
    """Raises DemoAccountsFound; while the database is unreachable, or has no tables yet, it retries."""
    while (names := _demo_accounts(engine)) is None:
        sleep(_PAUSE_SECONDS)
    if names:
        raise DemoAccountsFound(
            f"The database holds accounts of the demo: {', '.join(names)}. Production needs a database of its own: "
            "name an empty one in DATABASE_URL, migrate it, and make its first administrator "
            "(docs/operations/installing.md)."
        )


def _demo_accounts(engine: Engine) -> list[str] | None:
    """The names of demo accounts; None where the database cannot be queried."""
    chosen = select(Account.account_name).where(Account.account_id.in_(demo_account_ids()))
    try:
        with engine.connect() as connection:
            return sorted(connection.scalars(chosen))
    except SQLAlchemyError as error:
        log.warning("demo_accounts_unknown", error=type(error).__name__)
        return None
