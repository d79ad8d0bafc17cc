"""An overloaded system queues, answers every request, and catches up; `make pressure` runs longer."""

import pytest

from deploy.local.environment import ROOT
from tests.chaos.pressure import Size, run_pressure

pytestmark = [
    pytest.mark.long("a slow registry, a flood and a full broker; nodes and a stack of its own"),
    pytest.mark.timeout(1800),
]

_SHORT = Size(members=400, quiet_seconds=1, slow_seconds=4, alarm_seconds=6, is_durable=False)


def test_pressure_is_borne_and_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_SECRET", "that of the stack of all other tests comes back")
    outcome = run_pressure(_SHORT, ROOT / ".local" / "chaos-pressure-short")
    assert outcome.violations == []
    assert outcome.issued == outcome.passed > 300
    assert outcome.stages[-1].busy, "with the broker's alarm on, who asks is told to come again"
