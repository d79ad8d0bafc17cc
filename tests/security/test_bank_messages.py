"""Attack by reading the broker's disk or queues: bank messages reveal no personal data."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from deploy.local.client import wait_until
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack
from deploy.simulators.bank_ledger import ERRORS, card_number
from tests.desks import a_desk, people
from tests.security.places import paths_in


def test_the_brokers_disk_holds_no_number_of_a_member_or_a_card(stack: Stack, nodes: Nodes) -> None:
    desk = a_desk(stack.gateway_url)
    persons = people(3)
    desk.register(*persons)
    batch_no = desk.submit_all()
    at_bank = f"{stack.simulator_urls['bank']}/batches/{batch_no}"

    def batch() -> dict[str, Any]:
        answer = requests.get(at_bank, timeout=30)
        return dict(answer.json()) if answer.ok else {}

    wait_until(lambda: batch().get("received") == 3, "the bank has it")
    order = {"outcome": "issued", "faulty_line": "card_no"}
    requests.post(f"{at_bank}/feedback", json=order, timeout=30).raise_for_status()
    wait_until(lambda: desk.clerk.get(f"batches/{batch_no}")["issued"] == 3, "the cards are issued")

    numbers = [number for person in persons for number in (person.document_number, person.phone)]
    cards = [card_number(one["application_id"]) for one in batch()["applicants"]]
    broker = nodes.folder / "rabbitmq"
    assert _places(broker, [batch_no]), "this is where messages lie"
    assert _places(broker, [*numbers, *cards, ERRORS["card_no"]["card_no"]]) == []


def _places(folder: Path, texts: list[str]) -> list[tuple[str, str]]:
    """In which files these texts are; the broker may replace a file meanwhile."""
    found = []
    for file in (path for path in paths_in(folder) if path.is_file()):
        with suppress(FileNotFoundError):
            held = file.read_bytes()
            found += [(str(file), text) for text in texts if text.encode() in held]
    return found
