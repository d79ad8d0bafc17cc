"""The chaos harness detects losses: the textbook services have some under two of the same faults."""

from pathlib import Path

import pytest

from deploy.local.nodes import Nodes
from tests.chaos.faults import Faults
from tests.chaos.plan import CUT, Fault
from tests.chaos.textbook.control import inject_faults, running_textbook

pytestmark = pytest.mark.long("verifies that the chaos harness detects losses")

_MOST_ROUNDS = 6


def test_what_a_textbooks_services_lose_is_seen(nodes: Nodes, tmp_path: Path) -> None:
    cuts = [Fault(1 + 0.5 * number, CUT.name, "listing to database", 0) for number in range(4)]
    with running_textbook(nodes, tmp_path) as textbook:
        for _ in range(_MOST_ROUNDS):
            verdict, promises = inject_faults(textbook, Faults(textbook.targets, cuts, 1))
            if verdict.lost:
                break
    assert promises.queued
    assert verdict.lost
