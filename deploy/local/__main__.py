"""The commands behind the Makefile: `python -m deploy.local run|stop|reset|status|logs`."""

import argparse
import os
import subprocess
import sys
import time
import warnings
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from deploy.local import postgres, rabbitmq, stack
from deploy.local.environment import ROOT, ScaleError, read_scale, read_state
from deploy.local.ports import LOOPBACK
from deploy.local.stack import StackError

FOLDER = ROOT / ".local"


def main() -> int:
    """Do one command; the exit code says whether it went well."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="The whole system on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start what does not run, restart what has changed")
    run.add_argument("--scale", default="", help="processes of a service: 'validation=3 batching=2'")
    commands.add_parser("stop", help="end all processes and nodes, keep the data")
    commands.add_parser("reset", help="stop, and forget all data, ports, secrets and logs")
    commands.add_parser("status", help="how each process does")
    logs = commands.add_parser("logs", help="follow what the processes write")
    logs.add_argument("--of", default="", help="one service only")
    arguments = parser.parse_args()
    # It says so whenever migrations import tables; who starts the stack can do nothing about it.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    try:
        return _do(arguments)
    except (StackError, ScaleError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _do(arguments: argparse.Namespace) -> int:
    if arguments.command == "run":
        return _run(arguments.scale)
    if arguments.command == "status":
        return _status()
    if arguments.command == "logs":
        _logs(arguments.of)
    {"stop": stack.stop, "reset": stack.reset}[arguments.command](FOLDER)
    return 0


def _run(scale: str) -> int:
    started_at = time.monotonic()
    running = stack.start(FOLDER, read_scale(scale))
    print(f"\nready after {time.monotonic() - started_at:.1f} s\n")
    print(f"  {'the system':20} {running.gateway_url}")
    print(f"  {'its API':20} {running.gateway_url}/api/docs")
    for name, url in running.simulator_urls.items():
        print(f"  {name + ' simulator':20} {url}")
    print("\nDemo accounts\n", flush=True)
    table = [sys.executable, "-m", "services.membership.seed", "--accounts"]
    return subprocess.run(table, cwd=ROOT, check=False).returncode


def _status() -> int:
    processes = stack.status(FOLDER)
    for name, pid in (("postgres", postgres.pid(FOLDER)), ("rabbitmq", rabbitmq.pid(FOLDER))):
        print(f"{name:16} {f'running, pid {pid}' if pid else 'no private node runs'}")
    if not processes:
        print("the stack does not run: make run")
        return 3
    for process in processes:
        record = process.record
        since = datetime.fromtimestamp(record.since).astimezone().strftime("%m-%d %H:%M:%S")
        state = "ready" if process.ready else f"{record.state}, not ready"
        print(f"{process.name:16} {state:20} pid {record.pid or '-':<8} since {since}  restarts {record.restarts}")
    print(f"{'gateway':16} http://{LOOPBACK}:{read_state(FOLDER)['ports']['gateway']}")
    return 0 if all(process.ready for process in processes) else 1


def _logs(program: str) -> NoReturn:
    files = [str(path) for path in sorted(Path(FOLDER / "logs").glob(f"{program}*.log"))]
    if not files:
        raise StackError(f"no logs of {program or 'the stack'} in {FOLDER / 'logs'}")
    os.execvp("tail", ["tail", "-n", "20", "-F", *files])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
