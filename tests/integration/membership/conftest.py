"""An office with a fresh database for each test."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine

from tests.conftest import DatabaseFactory
from tests.integration.membership.office import Office


@pytest.fixture
def engine(database: DatabaseFactory) -> Iterator[Engine]:
    engine = create_engine(database("membership").replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(engine)
