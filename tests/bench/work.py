"""Processor time that a piece of a city's work takes, by program; docs/operations/capacity.md is made of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import LiteralString

import psutil
import psycopg

from deploy.capacity import measured
from deploy.local import postgres, rabbitmq
from deploy.local.addresses import temporary_addresses
from deploy.local.client import ApiClient, wait_until
from deploy.local.environment import SERVICES, Addresses
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack, running_stack
from tests.bench.chain import register, with_keys_in_a_file
from tests.bench.environment import FOLDER, Options, plain_url
from tests.bench.report import Report, Row
from tests.memory import peak_megabytes
from tests.unlimited import UNLIMITED

TITLE = "A city's work"
UNIONS, MEMBERS, READS = 20, 250, 2000
PROGRAMS = (*SERVICES, "gateway")
_LONGEST_SECONDS = 300
_VHOST = "bench_work"
_BANK = {"BANK_MODE": "auto", "BANK_DELAY_MS": "0", "BANK_REFUSE_EVERY": "0", "BANK_CARD_DELAY_MS": "0"}
_WHAT = {
    "read": "A page of 20 members, read by a clerk",
    "check": "A member queued and checked",
    "issue": "A member submitted to the bank and issued a card",
}


@dataclass
class Meter:
    """Processor milliseconds of each program by kind of work."""

    on: Nodes
    stack: Stack
    addresses: Addresses
    milliseconds: dict[str, dict[str, float]] = field(default_factory=dict)

    @contextmanager
    def of(self, kind: str, pieces: int) -> Iterator[None]:
        """Measures so many pieces of work, with all that follows from them."""
        before = self._used()
        yield
        wait_until(self._is_at_rest, "outboxes and queues are empty", _LONGEST_SECONDS)
        after = self._used()
        self.milliseconds[kind] = {name: round(1000 * (after[name] - before[name]) / pieces, 3) for name in after}

    def _used(self) -> dict[str, float]:
        used = {program: _cpu_seconds(self.stack.pids(program)) for program in PROGRAMS}
        used["postgres"] = _cpu_seconds_with_children(postgres.pid(FOLDER))
        used["rabbitmq"] = _cpu_seconds_with_children(rabbitmq.pid(FOLDER))
        return used

    def _is_at_rest(self) -> bool:
        return not any(map(_has_outbox, self.addresses.database_urls.values())) and not any(
            depth for queue, depth in self.on.rabbitmq.queue_depths(_VHOST).items() if not queue.startswith("bank.")
        )


def measure(on: Nodes, secrets: dict[str, str], options: Options) -> Report:
    """Has clerks of several unions read, check, and submit; the simulated bank answers at once."""
    unions, members, reads = (2, 40, 20) if options.quick else (UNIONS, MEMBERS, READS)
    with ExitStack() as after:
        addresses = after.enter_context(temporary_addresses(on, _VHOST))
        settings = {**with_keys_in_a_file(secrets), **UNLIMITED, **_BANK}
        stack = after.enter_context(running_stack(FOLDER / "stack", addresses, settings=settings, say=lambda _: None))
        clerks = register(addresses.database_urls["membership"], [members] * unions)
        clients = [clerk.sign_in(stack.gateway_url) for clerk in clerks]
        at_rest = _memory(stack, lambda pid: psutil.Process(pid).memory_full_info().pss / 2**20)
        meter = Meter(on, stack, addresses)
        with meter.of("read", reads):
            for number in range(reads):
                clients[number % unions].get("members", size=20)
        with meter.of("check", unions * members):
            for client in clients:
                client.post("members/queue", {"filter": {}})
            wait_until(lambda: _applications(addresses) == unions * members, "all are listed", _LONGEST_SECONDS)
            for client in clients:
                client.post("pending/validate")
            wait_until(lambda: _checked(addresses) == unions * members, "all are checked", _LONGEST_SECONDS)
        submitted = sum(map(_without_failed, clients))
        with meter.of("issue", submitted):
            for client in clients:
                _submit(client)
            wait_until(lambda: _issued(addresses) == submitted, "all have cards", _LONGEST_SECONDS)
        at_peak = _memory(stack, peak_megabytes)
    if not options.quick:
        measured.keep(
            milliseconds=meter.milliseconds, memory={name: [at_rest[name], at_peak[name]] for name in at_rest}
        )
    return _report(meter.milliseconds, unions, members, reads)


def _without_failed(client: ApiClient) -> int:
    """Removes those who failed; returns how many may be submitted."""
    client.post("pending/remove", {"which": "not_passed"})
    passed: int = client.get("pending", size=1)["counts"]["ordinary"]["passed"]
    return passed


def _submit(client: ApiClient) -> None:
    outlet = client.get("outlets", q="国华广场")["items"][0]
    form = {"branch_code": outlet["branch_code"], "outlet_code": outlet["code"]}
    contact = {"contact_name": "王芳", "contact_phone": "13900000000"}
    consent = {"consent_version": client.get("consent-text")["version"]}
    client.post("batches", {"channel": "ordinary", **form, **contact, **consent})


def _applications(addresses: Addresses) -> int:
    return _count(addresses, "batching", "select count(*) from application")


def _checked(addresses: Addresses) -> int:
    return _count(addresses, "batching", "select count(*) from application where check_state in ('passed', 'failed')")


def _issued(addresses: Addresses) -> int:
    return _count(addresses, "membership", "select count(*) from member where card_state = 'issued'")


def _count(addresses: Addresses, service: str, query: LiteralString) -> int:
    with psycopg.connect(plain_url(addresses.database_urls[service])) as database:
        return int(database.execute(query).fetchone()[0])  # type: ignore[index]


def _has_outbox(url: str) -> bool:
    with psycopg.connect(plain_url(url)) as database:
        return database.execute("select 1 from outbox limit 1").fetchone() is not None


def _cpu_seconds(pids: Iterable[int]) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def _cpu_seconds_with_children(pid: int | None) -> float:
    """The processor seconds of a node's processes, those that have ended included."""
    root = psutil.Process(pid)
    return sum(map(_cpu_seconds_of_ended_too, (root, *root.children(recursive=True))))


def _cpu_seconds_of_ended_too(process: psutil.Process) -> float:
    """With those of its children that have ended; 0 if it has just ended itself, for then its parent's have it."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.NoSuchProcess:
        return 0.0


def _memory(stack: Stack, of: Callable[[int], float]) -> dict[str, int]:
    """The mebibytes of each program's largest process."""
    return {program: round(max(map(of, stack.pids(program)))) for program in PROGRAMS}


def _report(milliseconds: Mapping[str, Mapping[str, float]], unions: int, members: int, reads: int) -> Report:
    rows = [
        Row(_WHAT[kind], "–", f"{sum(used.values()):.2f} ms of a core", "–", "–", None)
        for kind, used in milliseconds.items()
    ]
    shares = "".join(
        f"- {_WHAT[kind]}: {', '.join(f'{name} {used:.2f}' for name, used in by_program.items())}.\n"
        for kind, by_program in milliseconds.items()
    )
    how = _HOW.format(unions=unions, members=members, reads=f"{reads:,}", shares=shares)
    return Report("work", TITLE, rows, how)


_HOW = """
A whole stack, one process each. {reads} pages are read one after the other; then the clerks of {unions} unions of
{members} members each queue all, have all checked, remove those who failed, and submit the rest as a batch each, for
which the simulated bank sends a card each at once. Counted is the processor time of all processes, database and broker
included, until all outboxes and queues are empty. By program, in milliseconds:

{shares}
[The capacity table](operations/capacity.md) is made of these figures.
"""
