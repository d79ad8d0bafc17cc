"""Lists possible repairs of the local stack, or of the system that the environment names; --yes does them.

Services whose databases were restored are reconciled first, and freed.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from deploy import rebuild_reports
from deploy.invariants.system import Unreadable
from deploy.local import backups, stack
from deploy.local.environment import ROOT, note_lost_audit_entries
from deploy.local.stack import StackError
from deploy.repair.bank_record import BankBatch, InvalidRecord, read_record
from deploy.repair.plan import Task
from deploy.repair.reconciliation import Reconciled, Restored, fenced_services, lift, reconcile
from deploy.repair.runner import RepairError, Runner, runner_of
from services.kit.amqp.connection import BROKER_ERRORS
from services.kit.data.repair import repairs_of
from services.kit.settings import run_program, value_of, values_of

_SHOWN = 10
_COUNTS_EVENTS = "notification"
_SECONDS_TO_COUNT = 600
_ROUNDS = 5
"""How often it is repaired after a reconciliation at most, since what one repair publishes may need another one."""


@dataclass(frozen=True)
class _Place:
    """The system to repair, its databases' addresses as their owners, and how lost audit entries are remembered."""

    runner: Runner
    owner_url: Callable[[str], str]
    note_lost: Callable[[str], None] = lambda _entries: None


def main() -> int:
    """Returns 0 if no known violation is left, 1 if some are, 2 if the system could not be read."""
    options = _parser().parse_args()
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    if options.yes and not options.by:
        print("--yes needs --by: the account of the operator who does it", file=sys.stderr)
        return 2
    try:
        place = _place(timedelta(minutes=options.older_than))
        caller = place.runner.operator(options.by) if options.yes else None
        bank = read_record(options.bank) if options.bank else {}
        return _reconcile_and_repair(place, caller, options.settle, bank)
    except InvalidRecord as error:
        print(f"the bank's record cannot be read: {error}", file=sys.stderr)
    except Unreadable as error:
        print(f"{error.service} cannot be read ({error.reason}): nothing is repaired before it can", file=sys.stderr)
    except (StackError, RepairError, *BROKER_ERRORS) as error:
        print(error, file=sys.stderr)
    return 2


def _reconcile_and_repair(
    place: _Place, caller: dict[str, Any] | None, settle_seconds: float, bank: Mapping[str, BankBatch]
) -> int:
    """Reconciles restored services and frees them, then repairs; returns the exit status."""
    restored = fenced_services(place.runner.system)
    owner_urls = {service: place.owner_url(service) for service in restored} if caller is not None else {}
    reconciled = {}
    for service, moment in restored.items():
        reconciled[service] = reconcile(place.runner, Restored(service, moment, bank), caller, settle_seconds)
        _print_reconciled(service, reconciled[service], is_trial=caller is None)
        if reconciled[service].blocking:
            print(f"{service} still takes no changes")
            return 1
        if caller is not None:
            _free(place, service, owner_urls[service], reconciled[service])
    if caller is not None and _COUNTS_EVENTS in restored:
        _recount(place.runner, caller)
    if restored and caller is None:
        print("nothing was changed; --yes --by <account> does it, and repairs then")
        return 1
    if not restored:
        return _repair(place.runner, caller, settle_seconds)
    status = _repair_repeatedly(replace(place.runner, older_than=timedelta(0)), caller, settle_seconds)
    return 1 if any(one.left for one in reconciled.values()) else status


def _free(place: _Place, service: str, owner_url: str, reconciled: Reconciled) -> None:
    lift(place.runner.system, service, owner_url)
    if entries := reconciled.lost_audit_entries:
        place.note_lost(entries)
        os.environ["AUDIT_LOST"] = ",".join(filter(None, (os.environ.get("AUDIT_LOST"), entries)))
    print(f"{service} takes changes again")


def _recount(runner: Runner, operator: dict[str, Any]) -> None:
    """Rebuilds the reports, whose events since the backup are gone, when all services take changes again."""
    rebuild_reports.rebuild(runner, operator)
    counted = rebuild_reports.wait_until_counted(runner, _SECONDS_TO_COUNT)
    print(
        "the reports are rebuilt" if counted else "the reports are not rebuilt yet: make rebuild-reports BY=<account>"
    )


def _print_reconciled(service: str, reconciled: Reconciled, *, is_trial: bool) -> None:
    for line in reconciled.done:
        print(f"{service} {'would learn' if is_trial else 'learned'}: {line}")
    for line in reconciled.left:
        print(f"{service}: a person has to look: {line}")
    for line in reconciled.blocking:
        print(f"{service} cannot be freed: {line}")


def _repair_repeatedly(runner: Runner, caller: dict[str, Any] | None, settle_seconds: float) -> int:
    """Repairs until nothing more can be repaired; returns the exit status of the last time."""
    for _ in range(_ROUNDS):
        tasks, left = runner.find_tasks(settle_seconds)
        repaired = [_carry_out(runner, task, caller, left) for task in tasks]
        if not any(repaired):
            for line in left:
                print(line)
            return 1 if left else 0
    return _repair(runner, caller, settle_seconds)


def _repair(runner: Runner, caller: dict[str, Any] | None, settle_seconds: float) -> int:
    tasks, left = runner.find_tasks(settle_seconds)
    repaired = [_carry_out(runner, task, caller, left) for task in tasks]
    for line in left:
        print(line)
    if not any(repaired) and not left:
        print("nothing to repair")
    elif caller is None and any(repaired):
        print("nothing was changed; --yes --by <account> does it")
    return 1 if left or (caller is None and any(repaired)) else 0


def _carry_out(runner: Runner, task: Task, caller: dict[str, Any] | None, left: list[str]) -> bool:
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


def _place(older_than: timedelta) -> _Place:
    """Returns the named system or the local stack. Raises SettingsError, StackError."""
    runner = runner_of(older_than)
    if value_of("DATABASE_URL_MEMBERSHIP"):
        return _Place(runner, _owner_url)
    folder = stack.find(ROOT / ".local").folder
    return _Place(
        runner, lambda one: backups.owner_url(folder, one), lambda entries: note_lost_audit_entries(folder, entries)
    )


def _owner_url(service: str) -> str:
    name = f"DATABASE_OWNER_URL_{service.upper()}"
    return values_of(name)[name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.repair",
        description="Repairs violations of invariants, where that is safe, by the services' own code. Lists repairs; "
        "does them with --yes.",
        epilog="Another system than the local one is named as for python -m deploy.invariants.",
    )
    parser.add_argument("--yes", action="store_true", help="do it")
    parser.add_argument("--by", default="", help="the account of the operator in whose name it is recorded")
    parser.add_argument("--bank", type=Path, help="after a restore: the bank's record of batches, as a JSON file")
    parser.add_argument("--settle", type=float, default=10, help="seconds that messages on their way may take (10)")
    parser.add_argument(
        "--older-than", type=float, default=10, help="minutes for which a thing must be stuck to be ended (10)"
    )
    return parser


if __name__ == "__main__":
    run_program(main)
