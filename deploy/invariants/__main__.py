"""Checks the invariants of the local stack, or of the system that the environment names, and prints violations."""

import argparse
import sys
import time
import warnings
from collections import Counter

from deploy.invariants import INVARIANTS, System, Violation, check
from deploy.local import stack
from deploy.local.environment import ROOT
from deploy.local.stack import StackError
from services.kit.settings import run_program, value_of


def main() -> int:
    """Checks the system once it is at rest; returns 1 for violations, 2 if nothing could be read."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.invariants",
        description="Checks the data of all services and the broker against the invariants. Changes nothing.",
        epilog="Another system than the local one is named by DATABASE_URL_MEMBERSHIP and so on for all five, AMQP_URI "
        "(or AMQP_URI_MEMBERSHIP and so on), and by the keys and ENVIRONMENT that membership has; "
        "DATABASE_URL_MEMBERSHIP_FILE and the like name files of secrets.",
    )
    parser.add_argument("--settle", type=float, default=10, help="seconds that messages on their way may take (10)")
    parser.add_argument(
        "--allow", action="append", default=[], help="a known violation, invariant:offender; * matches any"
    )
    parser.add_argument(
        "--most", type=int, help="how many violations of one invariant are printed; the rest is counted"
    )
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    try:
        system = _system()
    except StackError as error:
        print(error, file=sys.stderr)
        return 2
    started = time.monotonic()
    violations = check(system, settle_seconds=arguments.settle, allowed=arguments.allow)
    _print(violations, arguments.most)
    seconds = time.monotonic() - started
    if violations:
        print(
            f"{len(violations)} violations of {len({one.invariant for one in violations})} invariants ({seconds:.1f} s)"
        )
        return 1
    print(f"{len(INVARIANTS)} invariants hold ({seconds:.1f} s)")
    return 0


def _system() -> System:
    if value_of("DATABASE_URL_MEMBERSHIP"):
        return System.from_environment()
    return System.of_stack(stack.find(ROOT / ".local"))


def _print(violations: list[Violation], most: int | None) -> None:
    found: Counter[str] = Counter()
    for violation in violations:
        found[violation.invariant] += 1
        if most is None or found[violation.invariant] <= most:
            print(violation)
    for invariant, number in found.items():
        if most is not None and number > most:
            print(f"{invariant}: {number - most} more")


if __name__ == "__main__":
    run_program(main)
