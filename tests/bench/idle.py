"""What a whole system that nobody uses costs: processor time of all its processes, and memory of each service."""

import statistics
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from deploy.local import nodes, postgres, stack
from deploy.local.environment import SERVICES
from deploy.local.nodes import Nodes
from tests.bench.environment import FOLDER, Options
from tests.bench.report import Report, Row

TITLE = "At rest"
SECONDS = 60
_SECONDS_TO_SETTLE = 20
_OF_ITS_OWN = FOLDER.parent / "bench-idle"
_MOST_PERCENT, _MOST_MIB = 3.0, 75.0


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Measures separate nodes alone, then the whole system on them, with demo data and one process each."""
    seconds = 5 if options.quick else SECONDS
    stack.reset(_OF_ITS_OWN)
    try:
        nodes.start(_OF_ITS_OWN)
        floor = sum(_percents(seconds).values())
        running = stack.start(_OF_ITS_OWN)
        percents = _percents(seconds)
        memory = _memory([pid for service in (*SERVICES, "gateway") for pid in running.pids(service)])
    finally:
        stack.reset(_OF_ITS_OWN)
    ours = sum(percents.values())
    rows = [
        Row(
            "a system at rest, processor of all processes",
            f"floor: both nodes alone {floor:.1f} % of a core",
            f"{ours:.1f} % of a core",
            f"{ours / floor:.1f} times",
            f"≤ {_MOST_PERCENT:.0f} % of a core",
            ours <= _MOST_PERCENT,
        ),
        Row(
            "a service at rest, memory (PSS)",
            "–",
            f"{statistics.median(memory):.0f} MiB ({min(memory):.0f}–{max(memory):.0f})",
            "–",
            f"≤ {_MOST_MIB:.0f} MiB each",
            max(memory) <= _MOST_MIB,
        ),
    ]
    most = sorted(percents.items(), key=lambda one: -one[1])
    shares = ", ".join(f"{name} {percent:.2f}" for name, percent in most if percent >= 0.005)
    return Report("idle", TITLE, rows, _HOW.format(seconds=seconds, settle=_SECONDS_TO_SETTLE, shares=shares))


def _percents(seconds: float) -> dict[str, float]:
    """The percentage of a core that each kind of process takes for so long, once the start's work is done."""
    time.sleep(min(seconds, _SECONDS_TO_SETTLE))
    before = {process: _cpu(process) for process in _processes(_OF_ITS_OWN)}
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    percents: dict[str, float] = {}
    for process in _processes(_OF_ITS_OWN):
        name = _name(process)
        percents[name] = percents.get(name, 0.0) + 100 * (_cpu(process) - before.get(process, 0.0)) / took
    return percents


def _processes(folder: Path) -> set[psutil.Process]:
    """All processes whose command line names the folder, or that of its database's data, and their descendants."""
    named = str(folder), str(postgres.data_folder(folder))
    roots = [one for one in psutil.process_iter() if any(name in word for name in named for word in _words(one))]
    return {one for root in roots for one in (root, *root.children(recursive=True))}


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _name(process: psutil.Process) -> str:
    """The program's name; of an unnamed Python its module."""
    words = _words(process)
    modules = [word for word in words[1:] if "." in word and "/" not in word]
    return modules[0] if modules and process.name().startswith("python") else process.name()


def _cpu(process: psutil.Process) -> float:
    """The processor seconds of a process and of those of its children that have ended."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.Error:
        return 0.0


def _memory(pids: Iterable[int]) -> list[float]:
    """The proportional share of memory of each process in MiB: what forks share counts once among them."""
    return [psutil.Process(pid).memory_full_info().pss / 2**20 for pid in pids]


_HOW = """
{settle} s after the start, over {seconds} s: two nodes, five services, the gateway, three simulators and the
supervisor, with demo data, one process each, no client. By program, in percent of a core: {shares}.

What bounds it: the nodes' own work (RabbitMQ's statistics, PostgreSQL's checkpoints and vacuums), then what each
process looks after by itself: heartbeats, missing queues, a broker or database that takes no changes.
"""
