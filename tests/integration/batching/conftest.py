"""Fixtures: a desk at a database of batching, which is emptied for each test."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine

from tests.databases import DatabaseFactory
from tests.integration.batching.desk import Desk, fresh


@pytest.fixture(scope="module")
def database_url(module_database: DatabaseFactory) -> str:
    return module_database("batching")


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    made = create_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return fresh(engine)
