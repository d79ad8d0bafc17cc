"""A short chaos run: faults of each quick kind while clerks, reviewers and the bank work."""

from dataclasses import replace

import pytest

from deploy.local.environment import ROOT, SERVICES
from tests.chaos.plan import CHEAP_KINDS
from tests.chaos.run import Size, run_chaos

_BRIEF = [replace(kind, seconds=(min(1.0, kind.seconds[0]), min(2.0, kind.seconds[1]))) for kind in CHEAP_KINDS]
_SHORT = Size(
    faults=len(_BRIEF),
    members=60,
    seed=1,
    seconds=8,
    members_a_union=30,
    members_a_round=15,
    phones=1,
    transfers=8,
    kinds=_BRIEF,
    scale={**dict.fromkeys(SERVICES, 1), "batching": 2},
    is_durable=False,
)


def test_nothing_is_lost_or_doubled_while_everything_is_hurt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_SECRET", "that of the stack of all other tests comes back")
    outcome = run_chaos(_SHORT, ROOT / ".local" / "chaos-short")
    assert outcome.violations == []
    assert {one.fault.kind for one in outcome.injected} == {kind.name for kind in CHEAP_KINDS}
    assert outcome.verdict.promised["members registered"] == _SHORT.members
    assert outcome.verdict.promised["bank results applied"] > 0
    assert outcome.verdict.promised["applications on the phone"] == _SHORT.phones
    assert outcome.verdict.promised["reports on cards applied"] > 0
    assert outcome.verdict.promised["members transferred"] > 0
