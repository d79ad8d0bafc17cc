"""Malformed messages of the bank are rejected with their reason, and delay no other message.

`POISON_MESSAGES` is their number; with `POISON_REPORT` the report, with the used memory, is written to
docs/chaos/poison.md. tests/unit/test_bytes_held.py tests the limit that bounds the memory.
"""

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from tests.chaos import poison_report
from tests.chaos.poison import Poison, Target, draw, to_json
from tests.chaos.poisoning import EVERY, Feeder
from tests.databases import DatabaseFactory
from tests.integration.batching.desk import KEY, fresh
from tests.integration.conftest import StartService, fork_server, start_service

pytestmark = pytest.mark.long("hundreds of malformed messages, 150 megabytes of them at once")

MESSAGES = int(os.environ.get("POISON_MESSAGES", "600"))
REPORT = os.environ.get("POISON_REPORT")
MOST_MEGABYTES = 400
"""What batching's process may ever have resident; it has a good 100 when it has done nothing."""
_SHARED = 50
"""Applications that poison speaks of."""
__all__ = ["fork_server", "start_service"]


@pytest.fixture
def feeder(database: DatabaseFactory, amqp_uri: str, start_service: StartService) -> Iterator[Feeder]:
    """A bank, and a process of batching that has one batch."""
    database_url = database("batching")
    engine = create_engine(database_url)
    batch_no, application_ids = fresh(engine).a_batch(_SHARED + MESSAGES // EVERY + 1)
    engine.dispose()
    process = start_service("services.batching.service", database_url, amqp_uri, BANK_HMAC_KEY=KEY.decode())
    target = Target(batch_no, [str(one) for one in application_ids], KEY)
    feeding = Feeder(amqp_uri, database_url, process.running.pid, process.log_file, target)
    yield feeding
    feeding.close()


def test_poison_is_rejected_with_its_reason_and_true_results_between_it_are_applied(feeder: Feeder) -> None:
    shared, own = feeder.target.application_ids[:_SHARED], feeder.target.application_ids[_SHARED:]
    before = feeder.peak_megabytes()
    feeder.feed(draw(Target(feeder.target.batch_no, shared, KEY), MESSAGES), own)
    while_fed = feeder.peak_megabytes()

    pile = _pile(feeder.target)
    with feeder.held():
        feeder.at_once(pile)
    feeder.settle()

    feeder.look_for_secrets()
    if REPORT:
        peak = feeder.peak_megabytes()
        poison_report.write(feeder.outcome, MESSAGES, (before, while_fed, peak), pile, MOST_MEGABYTES)
        assert peak < MOST_MEGABYTES


def _pile(target: Target) -> list[Poison]:
    """Many messages at once: some too large to be read, some just within the limit."""
    too_large, large = (50, 100) if REPORT else (12, 30)
    filled = to_json({**target.feedback({"member_no": "0", "outcome": "made"}), "other": [[]] * 240_000})
    return [
        *[target.signed("10 MB", bytes([number]) * 10_000_000) for number in range(too_large)],
        *[target.signed("1 MB of lists", filled + b" " * number) for number in range(large)],
    ]
