"""Lists possible repairs of the local stack, or of the system that the environment names; --yes does them."""

import argparse
import sys
import warnings
from datetime import timedelta

from deploy.invariants.system import Unreadable
from deploy.local.stack import StackError
from deploy.repair.plan import Task
from deploy.repair.runner import RepairError, Runner, runner_of
from services.kit.amqp.connection import BROKER_ERRORS
from services.kit.data.repair import repairs_of
from services.kit.settings import run_program

_SHOWN = 10


def main() -> int:
    """Returns 0 if no known violation is left, 1 if some are, 2 if the system could not be read."""
    options = _parser().parse_args()
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    if options.yes and not options.by:
        print("--yes needs --by: the account of the operator who does it", file=sys.stderr)
        return 2
    try:
        runner = runner_of(timedelta(minutes=options.older_than))
        caller = runner.operator(options.by) if options.yes else None
        tasks, left = runner.find_tasks(options.settle)
        repaired = [_carry_out(runner, task, caller, left) for task in tasks]
    except Unreadable as error:
        print(f"{error.service} cannot be read ({error.reason}): nothing is repaired before it can", file=sys.stderr)
        return 2
    except (StackError, RepairError, *BROKER_ERRORS) as error:
        print(error, file=sys.stderr)
        return 2
    for line in left:
        print(line)
    if not any(repaired) and not left:
        print("nothing to repair")
    elif caller is None and any(repaired):
        print("nothing was changed; --yes --by <account> does it")
    return 1 if left or (caller is None and any(repaired)) else 0


def _carry_out(runner: Runner, task: Task, caller: dict[str, object] | None, left: list[str]) -> bool:
    """Runs one task and returns whether there was something to repair; adds what was not done to `left`."""
    try:
        repaired = runner.carry_out(task, caller)
    except RepairError as error:
        left.append(f"{task.remedy.name}: {error}")
        return False
    description = repairs_of(task.remedy.service)[task.remedy.name].description
    if repaired:
        more = f" and {len(repaired) - _SHOWN} more" if len(repaired) > _SHOWN else ""
        done = "would" if caller is None else "did"
        print(f"{task.remedy.service} {done}: {description}: {len(repaired)}: {', '.join(repaired[:_SHOWN])}{more}")
    if len(repaired) < len(task.ids):
        rest = set(task.ids) - set(repaired)
        left += [f"{task.remedy.invariant}:{one}  (not repaired: too young, in use, or not so)" for one in sorted(rest)]
    return bool(repaired)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.repair",
        description="Repairs violations of invariants, where that is safe, by the services' own code. Lists repairs; "
        "does them with --yes.",
        epilog="Another system than the local one is named as for python -m deploy.invariants.",
    )
    parser.add_argument("--yes", action="store_true", help="do it")
    parser.add_argument("--by", default="", help="the account of the operator in whose name it is recorded")
    parser.add_argument("--settle", type=float, default=10, help="seconds that messages on their way may take (10)")
    parser.add_argument(
        "--older-than", type=float, default=10, help="minutes for which a thing must be stuck to be ended (10)"
    )
    return parser


if __name__ == "__main__":
    run_program(main)
