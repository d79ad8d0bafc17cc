"""How long `make run` takes when all is installed, compared with starting only the nodes."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack

from deploy.local import nodes, stack
from deploy.local.environment import ROOT
from deploy.local.nodes import Nodes
from tests.bench.environment import FOLDER, Options
from tests.bench.report import Report, Row
from tests.bench.runs import Runs, ratio

TITLE = "Starting"
RUNS = 3
_OF_ITS_OWN = FOLDER.parent / "bench-run"
_RUN = """
import sys
from pathlib import Path
from deploy.local import __main__ as local
local.FOLDER = Path(sys.argv[1])
sys.argv[1:] = ["run"]
sys.exit(local.main())
"""
"""`python -m deploy.local run` with another folder."""


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Starts and stops a separate stack several times, without counting the first time, which makes the data."""
    runs = 1 if options.quick else RUNS
    took, floors = [], []
    stack.reset(_OF_ITS_OWN)
    with ExitStack() as after:
        after.callback(stack.reset, _OF_ITS_OWN)
        _make_run()
        for _ in range(runs):
            stack.stop(_OF_ITS_OWN)
            began = time.monotonic()
            nodes.start(_OF_ITS_OWN)
            floors.append(time.monotonic() - began)
            nodes.stop(_OF_ITS_OWN)
            took.append(_make_run())
    ours, floor = Runs(took), Runs(floors)
    row = Row(
        "`make run` when all is installed",
        f"floor: both nodes alone {floor.show('s', 1)}",
        ours.show("s", 1),
        ratio(ours, floor).show("times", 1),
        "–",
        None,
    )
    return Report("starting", TITLE, [row], _HOW.format(runs=runs))


def _make_run() -> float:
    """Returns the seconds of the two programs behind `make run`."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    began = time.monotonic()
    for command in (["deploy/local/bootstrap.py", "run"], ["-c", _RUN, str(_OF_ITS_OWN)]):
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"make run failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - began


_HOW = """
The nodes are stopped; packages, pages, databases and demo data exist. Time runs from the command until it reports
that the whole system is ready: two nodes, five services, the gateway, three simulators, one process each.
{runs} runs in turn with the nodes alone.

What bounds it: RabbitMQ's start, then nine processes of Python that import their packages at once on two cores.
"""
