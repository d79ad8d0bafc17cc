"""Rebuilds the reports from the services' own data, while everything runs: `python -m deploy.rebuild_reports --by ops`.

Of the local stack, or of the system that the environment names as for python -m deploy.repair.
"""

import argparse
import json
import sys
import time
import warnings
from datetime import timedelta
from typing import Any

from deploy.local.stack import StackError
from deploy.repair.runner import RepairError, Runner, runner_of
from services.kit.settings import run_program

SOURCES = ("membership", "batching", "validation")
"""The services that publish their facts, in this order."""
_NOTIFICATION = "services.notification.reports.rebuild"
_SECONDS_BETWEEN_LOOKS = 2.0


def main() -> int:
    """Returns 0 when all is counted, 1 if that takes too long, 2 if the system could not be reached."""
    options = _parser().parse_args()
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    try:
        runner = runner_of(timedelta())
        rebuild(runner, runner.operator(options.by))
        return 0 if wait_until_counted(runner, options.wait) else 1
    except (StackError, RepairError) as error:
        print(error, file=sys.stderr)
    return 2


def rebuild(runner: Runner, operator: dict[str, Any]) -> int:
    """Empties the read model and lets each service publish its facts for it; returns how many events there are."""
    rebuild_id = runner.run("notification", _NOTIFICATION, "begin", given=json.dumps(operator))
    events = 0
    for service in SOURCES:
        published: int = runner.run(service, "services.kit.data.facts", service, rebuild_id)
        print(f"{service}: {published} events published", flush=True)
        events += published
    runner.run("notification", _NOTIFICATION, "expect", str(events))
    return events


def wait_until_counted(runner: Runner, seconds: float) -> bool:
    """Ends the rebuild when all its events were counted; returns whether that was within this time."""
    until = time.monotonic() + seconds
    while not runner.run("notification", _NOTIFICATION, "finish"):
        if time.monotonic() > until:
            now = runner.run("notification", _NOTIFICATION, "show")
            print(
                f"{now['counted']} of {now['expected']} events were counted: does notification run? Settle dead "
                "letters, then begin again",
                file=sys.stderr,
            )
            return False
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    print("the reports are rebuilt")
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.rebuild_reports",
        description="Rebuilds the reports from the services' own data, while everything runs. Until it has ended, the "
        "pages say that their numbers are incomplete.",
        epilog="Another system than the local one is named as for python -m deploy.invariants.",
    )
    parser.add_argument("--by", required=True, help="the account of the operator in whose name it is recorded")
    parser.add_argument("--wait", type=float, default=3600, help="seconds that counting may take (3600)")
    return parser


if __name__ == "__main__":
    run_program(main)
