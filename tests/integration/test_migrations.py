"""Each service's migrations create the tables that its models declare."""

import pytest

from deploy.local.environment import SERVICES
from services.kit.data import migrate
from tests.databases import DatabaseFactory


@pytest.mark.parametrize("service", SERVICES)
def test_the_migrated_database_is_what_the_models_say(database: DatabaseFactory, service: str) -> None:
    migrate.check(service, database(service))
