"""`python -m deploy.monitoring targets|run`: what Prometheus scrapes of the local system, or Prometheus itself."""

import argparse
import json
import sys
import time

from deploy.local.environment import ROOT
from deploy.local.processes import supervisor_pid
from deploy.local.stack import StackError
from deploy.monitoring.servers import running_servers, targets

_STACK = ROOT / ".local"


def main() -> int:
    """Runs one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.monitoring", description="Watches the local system.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("targets", help="print the processes of the local system for Prometheus' file_sd_configs")
    commands.add_parser("run", help="run Prometheus and Alertmanager for the local system, until Ctrl-C")
    command = parser.parse_args().command
    try:
        if supervisor_pid(_STACK) is None:
            raise StackError("The system does not run: make run")
        if command == "targets":
            print(json.dumps(targets(_STACK), indent=1))
        else:
            _run()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run() -> None:
    with running_servers(_STACK / "monitoring", _STACK) as servers:
        print(f"Prometheus    {servers.prometheus_url}\nAlertmanager  {servers.alertmanager_url}\nCtrl-C ends both.")
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
