"""The long control run: `python -m tests.chaos.textbook.control_run --faults 40` writes docs/chaos/control.md.

The exit status is 1 if nothing was lost or duplicated: then the harness detects nothing.
"""

import argparse
import sys
import time

from deploy.local import nodes
from deploy.local.environment import ROOT
from tests.chaos import report
from tests.chaos.faults import Faults
from tests.chaos.plan import draw
from tests.chaos.textbook.control import ALL_KINDS, inject_faults, running_textbook
from tests.chaos.world import node_versions

_SECONDS_A_FAULT = 4.0


def main() -> int:
    """Runs what the arguments say."""
    parser = argparse.ArgumentParser(description="Hurt a textbook's services, to see that losses are seen.")
    parser.add_argument("--faults", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    folder = ROOT / ".local" / "chaos-control"
    nodes.drop(folder)
    try:
        on = nodes.start(folder)
        with running_textbook(on, folder / "textbook") as textbook:
            versions = node_versions(on.postgres.url("textbook"), on.rabbitmq.uri("textbook"))
            plan = draw(asked.seed, asked.faults, _SECONDS_A_FAULT * asked.faults, ALL_KINDS)
            faults = Faults(textbook.targets, plan, asked.seed)
            verdict, promises = inject_faults(textbook, faults)
    finally:
        nodes.drop(folder)
    facts = report.ControlFacts(asked.seed, (time.monotonic() - began) / 60, versions)
    path = report.write_control(verdict, promises, faults.injected, facts)
    print(f"written: {path.relative_to(ROOT)}: lost {len(verdict.lost)}, duplicated {len(verdict.duplicated)}")
    return 0 if verdict.lost and verdict.duplicated else 1


if __name__ == "__main__":
    sys.exit(main())
