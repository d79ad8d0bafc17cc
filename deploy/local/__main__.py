"""The commands behind the Makefile: `python -m deploy.local run|stop|reset|status|logs|…`, as `--help` lists them."""

import argparse
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from deploy.history.state import is_begun, is_played
from deploy.invariants.audit_heads import signed_heads, stored_heads, stored_heads_are_in_log
from deploy.invariants.system import System, snapshots_of
from deploy.local import backups, key_rotation, postgres, rabbitmq, stack, web
from deploy.local.addresses import bank_uri
from deploy.local.captcha_solver import use_secret_of
from deploy.local.client import ApiClient, ApiProblem
from deploy.local.environment import (
    BANK_SECRETS,
    ROOT,
    SERVICES,
    ScaleError,
    keep_secrets,
    lost_audit_entries,
    read_scale,
    read_state,
)
from deploy.local.ports import LOOPBACK
from deploy.local.stack import StackError
from services.membership.seed import demo_password

FOLDER = ROOT / ".local"


def main() -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local", description="Runs the whole system on this machine."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start what does not run, restart what has changed")
    run.add_argument("--scale", default="", help="processes of a service: 'validation=3 batching=2'")
    run.add_argument("--demo", default="small", choices=("small", "city"), help="city: plays months of the past first")
    run.add_argument(
        "--bank", default="simulated", choices=("simulated", "none"), help="none: another program is the bank"
    )
    commands.add_parser("bank-client", help="run the example bank for a stack without one")
    commands.add_parser("rotate", help="new passwords for broker and databases, and restart with them")
    restart = commands.add_parser("rolling-restart", help="restart processes one by one under load")
    restart.add_argument("--of", default="", help="one program only; without it all services, but not the gateway")
    commands.add_parser("stop", help="end all processes and nodes, keep the data")
    commands.add_parser("reset", help="stop, and delete all data, ports, secrets and logs")
    commands.add_parser("status", help="the state of each process")
    verify = commands.add_parser("audit-verify", help="verify the chain of the audit log")
    verify.add_argument("--head", default="", help="position:hash; by default the newest that membership logged")
    verify.add_argument("--lost", default="", help="A-B: entries that are missing after a known restore")
    session = commands.add_parser("session", help="sign an account of the demo in, and print the cookie")
    session.add_argument("--account", default="jianlang")
    logs = commands.add_parser("logs", help="follow the logs of the processes")
    logs.add_argument("--of", default="", help="one service only")
    rotation = commands.add_parser(
        "rotate-keys", help="add a key of personal data while everything runs, or drop an old one"
    )
    rotation.add_argument("--drop", default="", help="the id of a key that nothing needs any more")
    commands.add_parser("backup", help="back the databases up with pgBackRest")
    restoring = commands.add_parser("restore", help="restore one service's database to an earlier moment")
    restoring.add_argument("--of", required=True, choices=SERVICES)
    restoring.add_argument("--at", required=True, help="'2026-11-29 10:31:00', here; or with an offset")
    arguments = parser.parse_args()
    # The warning comes whenever migrations import tables, and whoever starts the stack cannot act on it.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    try:
        return _do(arguments)
    except (StackError, ScaleError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _do(arguments: argparse.Namespace) -> int:
    commands: dict[str, Callable[[], int | None]] = {
        "run": lambda: _run(arguments.scale, with_bank=arguments.bank == "simulated", city=arguments.demo == "city"),
        "bank-client": _bank_client,
        "rotate": _rotate,
        "rolling-restart": lambda: _rolling_restart(arguments.of),
        "stop": lambda: stack.stop(FOLDER),
        "reset": lambda: stack.reset(FOLDER),
        "status": _status,
        "audit-verify": lambda: _audit_verify(arguments.head, arguments.lost),
        "session": lambda: _session(arguments.account),
        "rotate-keys": lambda: _rotate_keys(arguments.drop),
        "logs": lambda: _logs(arguments.of),
        "backup": _backup,
        "restore": lambda: _restore(arguments.of, arguments.at),
    }
    return commands[arguments.command]() or 0


def _rotate() -> None:
    stack.rotate(FOLDER)


def _rolling_restart(program: str) -> None:
    stack.restart_one_by_one(FOLDER, [program] if program else SERVICES)


def _rotate_keys(dropped: str) -> int:
    return key_rotation.drop(FOLDER, dropped) if dropped else key_rotation.rotate(FOLDER)


def _run(scale: str, *, with_bank: bool, city: bool) -> int:
    processes = read_scale(scale, with_bank=with_bank)
    web.build()
    if city and not is_played(FOLDER):
        from deploy.history.playing import play  # noqa: PLC0415 - its packages are installed for DEMO=city only

        play(FOLDER, print)
    started_at = time.monotonic()
    running = stack.start(FOLDER, processes)
    print(f"\nready after {time.monotonic() - started_at:.1f} s\n")
    print(f"  {'the system':20} {running.gateway_url}")
    print(f"  {'its API':20} {running.gateway_url}/api/docs")
    for name, url in running.simulator_urls.items():
        print(f"  {name + ' simulator':20} {url}")
    if not with_bank:
        print(f"  {'the bank':20} whoever connects as it: make bank-client, or docs/events/bank.md")
    print("\nDemo accounts\n", flush=True)
    table = [sys.executable, "-m", "services.membership.seed", "--accounts"]
    code = subprocess.run(table, cwd=ROOT, check=False).returncode
    if is_played(FOLDER):
        _print_accounts_of_city()
    return code


def _print_accounts_of_city() -> None:
    from deploy.history.city import PASSWORD, new_accounts  # noqa: PLC0415 - other commands begin sooner without it

    print(f"\nof the city, with the password {PASSWORD}\n")
    for account, role, holder, union in new_accounts():
        print(f"  {account:14} {role:23} {holder}  {union}")


def _bank_client() -> NoReturn:
    """Replace this process by the example of a bank's program, until Ctrl-C."""
    running = stack.find(FOLDER)
    if "bank" in running.simulator_urls:
        raise StackError("The simulated bank runs, and two would share the batches: make run BANK=none")
    stack_secrets = keep_secrets(FOLDER)
    bank_environment = {
        "AMQP_URI": bank_uri(FOLDER, stack_secrets),
        **{name: stack_secrets[name] for name in BANK_SECRETS},
    }
    program, books = str(ROOT / "deploy" / "simulators" / "example_bank.py"), str(FOLDER / stack.BANK_BOOKS)
    os.execve(sys.executable, [sys.executable, program, "--books", books], {**os.environ, **bank_environment})  # noqa: S606


def _status() -> int:
    processes = stack.status(FOLDER)
    for name, pid in (("postgres", postgres.pid(FOLDER)), ("rabbitmq", rabbitmq.pid(FOLDER))):
        print(f"{name:16} {f'running, pid {pid}' if pid else 'no private node runs'}")
    if not processes:
        print("the stack does not run: make run")
        return 3
    if is_begun(FOLDER):
        print("its past is being played, or stopped before its end: then make reset")
    for process in processes:
        record = process.record
        since = datetime.fromtimestamp(record.since).astimezone().strftime("%m-%d %H:%M:%S")
        state = "ready" if process.ready else f"{record.state}, not ready"
        print(f"{process.name:16} {state:20} pid {record.pid or '-':<8} since {since}  restarts {record.restarts}")
    print(f"{'gateway':16} http://{LOOPBACK}:{read_state(FOLDER)['ports']['gateway']}")
    return 0 if all(process.ready for process in processes) else 1


def _audit_verify(head: str, lost: str) -> int:
    """Verify the audit log against a head that is kept outside of its database, and against all remembered heads."""
    running = stack.find(FOLDER)
    logged = re.findall(r'"head": "(\d+):([0-9a-f]+)"', running.log("membership"))
    newest = max(logged, key=lambda one: int(one[0]), default=None)
    known = head or (":".join(newest) if newest else "")
    system = System.of_stack(running)
    with snapshots_of(system) as snapshots:
        heads = "".join(f"{one}\n" for one in signed_heads(system, snapshots))
        forgotten = list(stored_heads_are_in_log(snapshots, stored_heads(system, snapshots)))
    check = [sys.executable, "-m", "services.membership.audit.audit_verify", *(["--head", known] if known else [])]
    check += ["--heads", "-"] if heads else []
    check += [f"--lost={gap}" for gap in lost.split(",") if gap]
    environment = {"AUDIT_LOST": lost_audit_entries(FOLDER), **running.environment("membership")}
    code = subprocess.run(check, cwd=ROOT, env=environment, input=heads, text=True, check=False).returncode
    for one in forgotten:
        print(one, file=sys.stderr)
    return code or int(bool(forgotten))


def _backup() -> None:
    made = backups.backup(FOLDER)
    print(f"{made.kind} backup {made.label}: {made.added_bytes / 1e6:.1f} MB in {made.seconds:.1f} s")


def _restore(service: str, at: str) -> None:
    """Restore a service's database while its processes are stopped; it takes no changes then."""
    moment = datetime.fromisoformat(at).astimezone()
    environment = stack.find(FOLDER).environment(service)
    with stack.without(FOLDER, service):
        restored = backups.restore(FOLDER, service, moment, environment, print)
    print(f"{service} is restored to {moment.isoformat()} after {restored.seconds:.1f} s, and takes no changes.")
    if restored.replaced:
        print(f"The former database is kept as {restored.replaced}; drop it when nobody needs it.")
    print("Next: make repair, then make repair YES=yes BY=ops")


def _session(account_name: str) -> int:
    running = stack.find(FOLDER)
    use_secret_of(FOLDER)
    try:
        client = ApiClient(running.gateway_url).sign_in(account_name, demo_password())
    except ApiProblem as refusal:
        print(refusal, file=sys.stderr)
        return 1
    print("; ".join(f"{cookie.name}={cookie.value}" for cookie in client.http.cookies))
    return 0


def _logs(program: str) -> NoReturn:
    files = [str(path) for path in sorted(Path(FOLDER / "logs").glob(f"{program}*.log"))]
    if not files:
        raise StackError(f"no logs of {program or 'the stack'} in {FOLDER / 'logs'}")
    os.execvp("tail", ["tail", "-n", "20", "-F", *files])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
