"""Generates docs/operations/capacity.md of page.md: what cities of four sizes need, and how the largest is divided."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy.capacity.city import BUSY_SHARE, LOT, NODES, PROGRAMS, REGISTRY_SECONDS, SIZES, City
from deploy.capacity.measured import Measured, read
from deploy.capacity.queues import percentile
from services.contracts.services import SERVICES
from services.kit.settings import DatabaseSettings

_PAGE = Path(__file__).with_name("page.md")
_PROCESS_CONNECTIONS = DatabaseSettings.max_workers + 5
_LARGEST_MEASURED = 10_000_000


def text() -> str:
    """Returns the document, from what was measured and a simulation of the queues."""
    measured = read()
    cities = [City(members, measured) for members in SIZES]
    largest = cities[-1]
    return _PAGE.read_text("utf-8").format(
        share=f"{BUSY_SHARE:.0%}".replace("%", " %"),
        milliseconds=_milliseconds(measured),
        need=_need(cities),
        wait=_wait(cities),
        lot=LOT,
        registry=f"{1000 * REGISTRY_SECONDS:.0f}",
        memory=_memory(measured),
        disk=_disk(measured),
        cells=len(range(0, largest.members, _LARGEST_MEASURED)),
        cores=str(largest.cores),
        terabytes=f"{_disk_of(largest) / 1e12:.1f}",
        directory=f"{largest.members * 150 / 1e9:.0f}",
    )


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(headings)]
    lines.append(["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [*lines, *map(list, rows)])


def _milliseconds(measured: Measured) -> str:
    names = {"read": "a page of 20 members read", "check": "a member queued and checked", "issue": "a member issued"}
    return _table(
        ("processor, ms", *PROGRAMS, *NODES, "all"),
        (
            (name, *(f"{used[one]:.2f}" for one in (*PROGRAMS, *NODES)), f"{sum(used.values()):.2f}")
            for name, used in ((name, measured.milliseconds[kind]) for kind, name in names.items())
        ),
    )


def _need(cities: Iterable[City]) -> str:
    return _table(
        ("members", "clerks at work", "results an hour", *PROGRAMS, "cores", "memory, GiB", "connections", "disk, GB"),
        (
            (
                f"{city.members:,}",
                f"{city.clerks:,}",
                f"{city.results_an_hour:,}",
                *(str(city.processes[program]) for program in PROGRAMS),
                str(city.cores),
                f"{_memory_of(city) / 1024:.1f}",
                f"{_connections_of(city)}",
                f"{_disk_of(city) / 1e9:,.1f}{'' if city.members in city.measured.disk else '*'}",
            )
            for city in cities
        ),
    )


def _memory_of(city: City) -> float:
    """Mebibytes of all processes at their peaks."""
    return sum(number * city.measured.memory[program][1] for program, number in city.processes.items())


def _connections_of(city: City) -> int:
    """Connections to the database, if all workers of all processes are busy."""
    return _PROCESS_CONNECTIONS * sum(number for program, number in city.processes.items() if program != "gateway")


def _disk_of(city: City) -> float:
    """Bytes of the five databases after a year, by the nearest number of members that was measured."""
    nearest = min(city.measured.disk, key=lambda members: abs(members - city.members))
    return sum(city.measured.disk[nearest].values()) * city.members / nearest


def _wait(cities: Iterable[City]) -> str:
    return _table(
        (
            "members",
            "a page: half, 99 %",
            "a check: half, 99 %",
            "all results known everywhere",
            "lots that wait, at most",
        ),
        (
            (
                f"{city.members:,}",
                *(_half_and_most(city.burst.took[kind]) for kind in ("read", "check")),
                f"after {_duration(city.burst.ended['issue'])}",
                f"{max(city.burst.longest.values()):,}",
            )
            for city in cities
        ),
    )


def _half_and_most(took: list[float]) -> str:
    if not took:
        return "none in the minute"
    return f"{1000 * percentile(took, 0.5):,.0f}, {1000 * percentile(took, 0.99):,.0f} ms"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _memory(measured: Measured) -> str:
    return _table(
        ("memory of a process, MiB", *PROGRAMS),
        (
            ("at rest", *(str(measured.memory[program][0]) for program in PROGRAMS)),
            ("its peak", *(str(measured.memory[program][1]) for program in PROGRAMS)),
        ),
    )


def _disk(measured: Measured) -> str:
    def row(members: int, sizes: Mapping[str, int]) -> tuple[str, ...]:
        total = sum(sizes.values())
        each = (f"{sizes[name] / 1e9:,.2f}" for name in SERVICES)
        return f"{members:,}", *each, f"{total / 1e9:,.2f}", f"{total / members / 1000:.1f} kB"

    headings = ("members, GB after a year", *SERVICES, "all", "a member")
    return _table(headings, (row(members, sizes) for members, sizes in sorted(measured.disk.items())))
