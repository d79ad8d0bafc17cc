"""The example of a bank's program, with the bank's permissions only, exchanges messages with batching."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import amqp
import pytest
from sqlalchemy import create_engine

from deploy.broker import User, declare_all, definitions
from deploy.local.client import wait_until
from deploy.local.nodes import Nodes
from services.batching.bank import bank_operations
from services.contracts.external import bank
from services.contracts.operations.batching import ResendToBankRequest
from services.kit.amqp.connection import open_connection
from services.kit.key_sets import new_encryption_keys, public_part
from services.kit.rpc.request import Caller
from services.kit.rpc.work import Work
from services.kit.settings import read_settings
from tests.databases import DatabaseFactory
from tests.example_bank import example_bank
from tests.integration.batching.desk import KEY, Desk, fresh
from tests.integration.conftest import StartService

BANK_KEYS = new_encryption_keys("bank-2026")
_OLDER, _NEWER = (json.loads(new_encryption_keys(kid))["keys"] for kid in ("union-2026", "union-2027"))
UNION_KEYS, NEWER_FIRST = json.dumps({"keys": _OLDER + _NEWER}), json.dumps({"keys": _NEWER + _OLDER})


@dataclass(frozen=True)
class Line:
    """Batching as its users see it, and the broker as the bank does."""

    desk: Desk
    bank_uri: str


@pytest.fixture(scope="module")
def bank_uri(nodes: Nodes, module_amqp_uri: str) -> Iterator[str]:
    vhost = module_amqp_uri.rpartition("/")[2]
    user = User(f"{vhost}_bank", "secret")
    nodes.rabbitmq.import_definitions(definitions(vhost, {"bank": user}))
    declare_all(module_amqp_uri)
    yield nodes.rabbitmq.uri(vhost, user.name, user.password)
    nodes.rabbitmq.delete_users([user.name])


@pytest.fixture(scope="module")
def line(
    module_start_service: StartService, module_database: DatabaseFactory, module_amqp_uri: str, bank_uri: str
) -> Iterator[Line]:
    database_url = module_database("batching")
    engine = create_engine(database_url)
    desk = fresh(engine)
    keys = {"BANK_HMAC_KEY": KEY.decode(), "BANK_HMAC_SECOND_KEY": "the key that comes next"}
    encryption = {"BANK_PUBLIC_KEYS": public_part(BANK_KEYS), "UNION_PRIVATE_KEYS": UNION_KEYS, "BANK_CLEAR_TEXT": "no"}
    module_start_service("services.batching.service", database_url, module_amqp_uri, **keys, **encryption)
    with pytest.MonkeyPatch.context() as ours:  # what the test itself sends in batching's name
        for name, value in encryption.items():
            ours.setenv(name, value)
        read_settings.cache_clear()
        yield Line(desk, bank_uri)
    read_settings.cache_clear()
    engine.dispose()


def test_the_example_of_a_banks_program_issues_cards_and_reads_its_receipts_while_the_key_changes(
    line: Line, tmp_path: Path
) -> None:
    desk = line.desk
    first, applications = desk.a_batch(3)
    keys = {"BANK_HMAC_KEY": "the key that comes next", "BANK_HMAC_SECOND_KEY": KEY.decode()}
    keys |= {"BANK_PRIVATE_KEYS": BANK_KEYS, "UNION_PUBLIC_KEYS": public_part(NEWER_FIRST)}

    with example_bank(line.bank_uri, tmp_path, **keys) as client:
        wait_until(lambda: desk.states(applications) == ["issued"] * 3, "the cards are issued")
        wait_until(lambda: len(client.receipts()) == 1, "the receipt is there")
        with desk.begin() as session:
            bank_operations.resend(
                Work(session, Caller()), ResendToBankRequest(batch_no=first, what="batch", reason="遗失")
            )
        second, others = desk.a_batch(2)
        wait_until(lambda: desk.states(others) == ["issued"] * 2, "the next cards are issued")
        wait_until(lambda: not client.unanswered(), "all feedback is answered")
        receipts = client.receipts()

    assert [(one["batch_no"], one["applied"], one["rejected"]) for one in receipts] == [(first, 3, 0), (second, 2, 0)]


def test_a_batch_that_the_bank_cannot_decrypt_waits_until_the_bank_has_the_key(line: Line, tmp_path: Path) -> None:
    keys = {"BANK_HMAC_KEY": KEY.decode(), "UNION_PUBLIC_KEYS": public_part(UNION_KEYS)}
    log = tmp_path / "example_bank.log"

    with example_bank(line.bank_uri, tmp_path, **keys, BANK_PRIVATE_KEYS=new_encryption_keys("another")):
        batch_no, applications = line.desk.a_batch(1)
        wait_until(lambda: "CALL A PERSON" in log.read_text(), "a person is called")
    assert batch_no not in log.read_text()
    with example_bank(line.bank_uri, tmp_path, **keys, BANK_PRIVATE_KEYS=BANK_KEYS):
        wait_until(lambda: line.desk.states(applications) == ["issued"], "the card is issued")


def test_the_bank_has_no_more_connections_and_channels_than_its_limits(bank_uri: str) -> None:
    with ExitStack() as decrypted:
        connections = [decrypted.enter_context(open_connection(bank_uri, "test")) for _ in range(bank.MOST_CONNECTIONS)]
        with pytest.raises((amqp.AMQPError, OSError)):
            open_connection(bank_uri, "test")
        with pytest.raises((amqp.AMQPError, OSError)):
            [connections[0].channel() for _ in range(bank.MOST_CHANNELS + 1)]
