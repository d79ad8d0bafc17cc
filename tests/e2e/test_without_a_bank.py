"""A system without its simulated bank: the example client of docs/events/bank.md is the bank."""

from pathlib import Path

import pytest

from deploy.local.client import wait_until
from deploy.local.environment import BANK_SECRETS, keep_secrets, read_scale
from deploy.local.nodes import Nodes
from tests.desks import a_desk, people
from tests.e2e.two_process_stack import start_two_process_stack
from tests.example_bank import example_bank

pytestmark = pytest.mark.long("a stack of its own without a bank; tests/integration/test_example_bank.py is quicker")


def test_the_example_of_a_banks_program_is_the_bank_of_a_system_that_has_none(nodes: Nodes, tmp_path: Path) -> None:
    with start_two_process_stack(nodes, "bankless", read_scale("", with_bank=False)) as stack:
        assert "bank" not in stack.simulator_urls
        desk = a_desk(stack.gateway_url)
        desk.register(*people(5))
        batch_no = desk.submit_all()
        kept = keep_secrets(stack.folder)
        keys = {name: kept[name] for name in BANK_SECRETS}
        with example_bank(stack.addresses.amqp_uris["bank"], tmp_path, **keys) as client:
            wait_until(lambda: desk.clerk.get(f"batches/{batch_no}")["issued"] == 5, "the cards are issued")
            wait_until(lambda: client.receipts() and not client.unanswered(), "all feedback is answered")
            assert [one["applied"] for one in client.receipts()] == [5]
