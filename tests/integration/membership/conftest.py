"""Fixtures: an office with a fresh database for each test, and an account of its union."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine

from services.membership.accounts import accounts
from services.membership.models import Account
from tests.databases import DatabaseFactory
from tests.integration.membership.holder import PASSWORD
from tests.integration.membership.office import Office


@pytest.fixture
def engine(database: DatabaseFactory) -> Iterator[Engine]:
    engine = create_engine(database("membership").replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine)


@pytest.fixture
def account(office: Office) -> Account:
    """A clerk's account `jianlang`, which must change its first password."""
    account = accounts.new_account(office.union, "jianlang", "王芳", ["clerk"], PASSWORD)
    with office.begin() as session:
        session.add(account)
    return account
