"""Injects faults into a whole system under load and verifies what clients were answered; writes docs/chaos.

`python -m tests.chaos --faults 200 --members 5000 --seed 1 --nodes 3`. The exit status is 1 if anything was lost or
duplicated, an invariant is violated, or a client got an unacceptable answer.
"""

import argparse
import sys
import time
from dataclasses import replace

from deploy.local.environment import ROOT
from tests.chaos import report
from tests.chaos.plan import ALL_KINDS, FAIL_OVER, KINDS_OF_CLUSTER
from tests.chaos.run import Size, run_chaos

_SECONDS_A_FAULT = 3.4
_SECONDS_TO_REST = 300.0


def main() -> int:
    """Runs what the arguments say."""
    parser = argparse.ArgumentParser(description="Hurt a system at work; nothing may be lost or duplicated.")
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--members", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1, help="draws the plan and what clients do")
    parser.add_argument("--standby", action="store_true", help="give the database a standby, and kill its primary too")
    parser.add_argument(
        "--nodes", type=int, default=1, choices=(1, 3), help="of the broker; of three, nodes are killed"
    )
    asked = parser.parse_args()
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True)

    size = Size(
        asked.faults,
        asked.members,
        asked.seed,
        _SECONDS_A_FAULT * asked.faults,
        rest_seconds=_SECONDS_TO_REST,
        brokers=asked.nodes,
        kinds=ALL_KINDS if asked.nodes == 1 else KINDS_OF_CLUSTER,
    )
    if asked.standby:
        size = replace(size, kinds=(*size.kinds, FAIL_OVER), has_standby=True)
    outcome = run_chaos(size, ROOT / ".local" / f"chaos-{size.name}", say)
    path = report.write(outcome, (time.monotonic() - began) / 60)
    say(f"written: {path.relative_to(ROOT)}")
    for violation in outcome.violations:
        print(violation)
    lost, duplicated = len(outcome.verdict.lost), len(outcome.verdict.duplicated)
    say(f"lost {lost}, duplicated {duplicated}, {len(outcome.violations)} violations in all")
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
