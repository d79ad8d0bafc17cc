"""Starts, finds, inspects and stops the whole system on this machine."""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import requests
from psycopg.conninfo import make_conninfo

from deploy.history.state import is_begun
from deploy.local import nodes, postgres
from deploy.local.addresses import end_former_requests, end_upgrade, find_addresses, is_upgrading, private_nodes
from deploy.local.environment import (
    AUDIT_ARCHIVES,
    AUDIT_HEADS,
    CLOCK_FILE,
    PREFERRED_GATEWAY_PORT,
    RETIRED_KEYS,
    ROOT,
    SERVICES,
    SIMULATORS,
    Addresses,
    RuntimeContext,
    forget_passwords,
    keep_ports,
    keep_secrets,
    module_by_clock,
    planned_processes,
    process_names,
    read_state,
    service_environment,
    source_version,
    write_state,
)
from deploy.local.fork_server import CannotFork, ForkServer
from deploy.local.ports import LOOPBACK
from deploy.local.private_files import UMASK, make_private, open_private
from deploy.local.processes import (
    Plan,
    Process,
    ProcessRecord,
    log_file,
    read_plan,
    read_record,
    supervisor_pid,
    write_plan,
)
from deploy.permissions import OPTIONAL_PROGRAMS
from services.kit.data.database_address import parameters_of

_SECONDS_TO_BE_READY = 180.0
_SECONDS_TO_STOP = 60.0
_SECONDS_TO_MIGRATE = 1200.0
_MIGRATE = "services.kit.data.migrate"
_MOST_EARLY_RESTARTS = 6
BANK_BOOKS = "example_bank.sqlite"
"""The file of the example of a bank's program, if that is the bank of this stack."""
_ONE_EACH = dict.fromkeys(SERVICES, 1)

Say = Callable[[str], None]


class StackError(RuntimeError):
    """The stack cannot be started; the message says why, and which log or document to read."""


@dataclass(frozen=True)
class Stack:
    """A running system."""

    folder: Path
    gateway_url: str
    addresses: Addresses
    simulator_urls: Mapping[str, str]

    def pids(self, program: str) -> list[int]:
        """Return the current process ids of a service, a simulator or `gateway`."""
        records = read_record(self.folder).processes.items()
        return [record.pid for name, record in records if _is_of(name, program) and record.pid]

    def kill(self, program: str, with_signal: signal.Signals = signal.SIGKILL) -> list[int]:
        """Send a signal to all processes of a program; the supervisor restarts those that die."""
        pids = self.pids(program)
        for pid in pids:
            os.kill(pid, with_signal)
        return pids

    def wait_until_ready(self, seconds: float = _SECONDS_TO_BE_READY) -> None:
        """Wait until each process is ready; raises StackError that names those that are not in time."""
        _wait_until_ready(self.folder, read_plan(self.folder), seconds)

    def environment(self, program: str) -> dict[str, str]:
        """Return the environment of a program's processes."""
        return next(dict(one.environment) for one in read_plan(self.folder).processes if one.program == program)

    def log(self, program: str) -> str:
        """Return the logs of all processes of a program so far."""
        return "".join(path.read_text() for path in sorted((self.folder / "logs").glob(f"{program}-*.log")))


@dataclass(frozen=True)
class ProcessStatus:
    """One line of `make status`."""

    name: str
    record: ProcessRecord
    ready: bool


def start(
    folder: Path,
    scale: Mapping[str, int] = _ONE_EACH,
    say: Say = print,
    settings: Mapping[str, str] | None = None,
) -> Stack:
    """Start the stack in this folder: start what does not run, restart what has changed, wait until all is ready.

    Missing nodes, databases and demo data are made. `settings` are environment variables of every process. Raises
    StackError, also for a system whose past is being played or stopped before its end.
    """
    settings = settings or {}
    if CLOCK_FILE not in settings:
        _refuse_half_a_past(folder)
    with _exclusive(folder):
        say("nodes: starting, or finding what runs")
        stack_secrets = keep_secrets(folder)
        addresses = find_addresses(folder, stack_secrets)
        if postgres.is_running(folder) and folder not in postgres.data_folder(folder).parents:
            say(f"PostgreSQL's data is in {postgres.data_folder(folder)}: its user may not enter {folder}")
        scale = {**scale, **{one: 0 for one in OPTIONAL_PROGRAMS if one not in addresses.amqp_uris}}
        context = _context(folder, scale, addresses, PREFERRED_GATEWAY_PORT, settings)
        # A node that ended in the past would be started again in the present.
        stack = _bring_up(folder, scale, context, () if CLOCK_FILE in settings else private_nodes(), say)
        if is_upgrading(stack_secrets):
            end_upgrade(folder, stack_secrets)
        else:
            end_former_requests(folder, stack_secrets)
        return stack


def rotate(folder: Path, say: Say = print) -> Stack:
    """Give every program new passwords for broker and databases, and restart it with them. Raises StackError.

    Open connections last until their process restarts; new ones with an old password are refused and retried.
    """
    _refuse_half_a_past(folder)
    plan = read_plan(folder)
    if supervisor_pid(folder) is None or not plan.processes:
        raise StackError("The system does not run: make run")
    with _exclusive(folder):
        forget_passwords(folder)
    return start(folder, _scale_of(plan), say)


def restart_one_by_one(folder: Path, programs: Collection[str] = SERVICES, say: Say = print) -> None:
    """Restart the processes of these programs one by one, each when the one before is ready. Raises StackError.

    Each process finishes its work first. Requests to a program with a single process wait meanwhile.
    If the code has changed, databases are migrated first and processes start by the new code's plan: this upgrades a
    running system.
    """
    _refuse_half_a_past(folder)
    if supervisor_pid(folder) is None:
        raise StackError("The system does not run: make run")
    with _exclusive(folder):
        plan = read_plan(folder)
        planned = {process.name: process for process in _planned_by_this_code(folder, plan, say)}
        for process in plan.processes:
            if process.program in programs:
                started_at = time.monotonic()
                _restart(folder, planned[process.name])
                say(f"{process.name}: ready again after {time.monotonic() - started_at:.1f} s")
        if plan.nodes:
            end_former_requests(folder, keep_secrets(folder))


def change_settings(folder: Path, settings: Mapping[str, str], programs: Collection[str] = SERVICES) -> None:
    """Restart the processes of these programs with further environment variables. Raises StackError."""
    if supervisor_pid(folder) is None:
        raise StackError("The system does not run: make run")
    with _exclusive(folder):
        for process in read_plan(folder).processes:
            if process.program in programs:
                _restart(folder, replace(process, environment={**process.environment, **settings}))


@contextmanager
def without(folder: Path, program: str) -> Iterator[None]:
    """Run the body while no process of this program runs; then start them again, without waiting until they are ready.

    Raises StackError.
    """
    if supervisor_pid(folder) is None:
        raise StackError("The system does not run: make run")
    with _exclusive(folder):
        plan = read_plan(folder)
        others = tuple(process for process in plan.processes if process.program != program)
        ended = [
            pid for name, one in read_record(folder).processes.items() if _is_of(name, program) and (pid := one.pid)
        ]
        _supervise(folder, replace(plan, processes=others))
        _wait_until_ended(ended)
        try:
            yield
        finally:
            _supervise(folder, plan)


def find(folder: Path) -> Stack:
    """Return the stack that runs in this folder; raises StackError if none does, or if it is in the past."""
    _refuse_half_a_past(folder)
    if supervisor_pid(folder) is None:
        raise StackError("The system does not run: make run")
    started_with = {process.program: process.environment for process in read_plan(folder).processes}

    def addresses(variable: str) -> dict[str, str]:
        return {program: values[variable] for program, values in started_with.items() if variable in values}

    databases, direct = addresses("DATABASE_URL"), addresses("DATABASE_DIRECT_URL")
    return _stack(folder, Addresses(addresses("AMQP_URI"), databases, direct_urls=direct))


def stop(folder: Path) -> None:
    """Let every process finish its work and end, the private nodes last."""
    with _exclusive(folder):
        _stop_processes(folder)
        nodes.stop(folder)


def reset(folder: Path) -> None:
    """Stop the stack and delete its data, ports, secrets and logs."""
    with _exclusive(folder):
        _stop_processes(folder)
        nodes.drop(folder)
        for name in (
            "state.json",
            "secrets.env",
            "personal_data_keys",
            RETIRED_KEYS,
            AUDIT_HEADS,
            "plan.json",
            "record.json",
            BANK_BOOKS,
        ):
            (folder / name).unlink(missing_ok=True)
        for name in ("logs", "monitoring", AUDIT_ARCHIVES):
            shutil.rmtree(folder / name, ignore_errors=True)


def status(folder: Path) -> list[ProcessStatus]:
    """Return the status of each planned process; empty if no supervisor runs."""
    if supervisor_pid(folder) is None:
        return []
    record = read_record(folder)
    processes = read_plan(folder).processes
    with ThreadPoolExecutor(max_workers=8) as asking:
        ready = list(asking.map(_is_ready, processes))
    return [
        ProcessStatus(process.name, record.processes.get(process.name, ProcessRecord()), is_ready)
        for process, is_ready in zip(processes, ready, strict=True)
    ]


@contextmanager
def running_stack(
    folder: Path,
    addresses: Addresses,
    scale: Mapping[str, int] = _ONE_EACH,
    settings: Mapping[str, str] | None = None,
    say: Say = print,
) -> Iterator[Stack]:
    """Run a fresh stack on these nodes and stop it at the end; its folder with the logs stays.

    `settings` are environment variables of every process, for instance shorter retry delays.
    """
    try:
        yield start_fresh(folder, addresses, scale, settings, say)
    finally:
        _stop_processes(folder)


def start_fresh(
    folder: Path,
    addresses: Addresses,
    scale: Mapping[str, int] = _ONE_EACH,
    settings: Mapping[str, str] | None = None,
    say: Say = print,
) -> Stack:
    """Start a fresh stack on these nodes, as `running_stack`, until `stop`; the folder's former content is deleted.

    Its gateway is ready without pages, which nobody may have built.
    """
    if folder.exists():
        _stop_processes(folder)
        shutil.rmtree(folder)
    with _exclusive(folder):
        context = _context(folder, scale, addresses, None, {"SERVE_PAGES": "no", **(settings or {})})
    return _bring_up(folder, scale, context, (), say)


def _context(
    folder: Path, scale: Mapping[str, int], addresses: Addresses, gateway_port: int | None, settings: Mapping[str, str]
) -> RuntimeContext:
    nothing_runs = supervisor_pid(folder) is None
    return RuntimeContext(
        addresses=addresses,
        ports=keep_ports(folder, process_names(scale), nothing_runs, gateway_port),
        secrets=keep_secrets(folder),
        settings=settings,
        version=source_version(),
    )


def _bring_up(
    folder: Path, scale: Mapping[str, int], context: RuntimeContext, own_nodes: tuple[str, ...], say: Say
) -> Stack:
    (folder / "logs").mkdir(mode=0o700, exist_ok=True)
    _prepare_databases(folder, context, say)
    plan = Plan(planned_processes(scale, context), own_nodes)
    _supervise(folder, plan)
    say(f"processes: waiting until all {len(plan.processes)} are ready")
    _wait_until_ready(folder, plan, _SECONDS_TO_BE_READY)
    return _stack(folder, context.addresses)


def _stack(folder: Path, addresses: Addresses) -> Stack:
    ports = read_state(folder)["ports"]
    running = {process.program for process in read_plan(folder).processes}
    return Stack(
        folder=folder,
        gateway_url=f"http://{LOOPBACK}:{ports['gateway']}",
        addresses=addresses,
        simulator_urls={name: f"http://{LOOPBACK}:{ports[f'{name}-1']}" for name in SIMULATORS if name in running},
    )


def _prepare_databases(folder: Path, context: RuntimeContext, say: Say) -> None:
    """Migrate and seed the databases, unless this code has already done so."""
    databases = {service: _without_password(url) for service, url in context.addresses.database_urls.items()}
    version = hashlib.sha256(json.dumps([context.version, databases]).encode()).hexdigest()
    state = read_state(folder)
    if state.get("prepared") == version:
        return
    say("databases: migrating, and seeding demo data")
    (folder / "logs").mkdir(mode=0o700, exist_ok=True)
    with closing(ForkServer()) as forks, ThreadPoolExecutor() as at_once:
        try:
            list(at_once.map(partial(_migrate_and_seed, folder, forks, context), SERVICES))
        except CannotFork as error:
            raise StackError("The code of the services cannot be imported.") from error
    write_state(folder, {**state, "prepared": version})


def _without_password(url: str) -> str:
    return make_conninfo(**{name: value for name, value in parameters_of(url).items() if name != "password"})


def _migrate_and_seed(folder: Path, forks: ForkServer, context: RuntimeContext, service: str) -> None:
    environment = service_environment(service, context)
    url = {f"DATABASE_URL_{service.upper()}": context.addresses.migration_url(service)}
    log = log_file(folder, f"{service}-database")

    def fails(words: Sequence[str], environment: Mapping[str, str]) -> bool:
        module, *arguments = module_by_clock(words, context.settings)
        return forks.start(module, arguments, environment, log).wait(_SECONDS_TO_MIGRATE) != 0

    if fails([_MIGRATE, service], {**environment, **url}):
        raise StackError(f"The database of {service} cannot be migrated. The end of {log}:\n{_end_of(log)}")
    seed = f"services.{service}.seed"
    if importlib.util.find_spec(seed) and fails([seed], environment):
        raise StackError(f"The demo data of {service} could not be made. The end of {log}:\n{_end_of(log)}")


def _refuse_half_a_past(folder: Path) -> None:
    if is_begun(folder):
        raise StackError("The past of this system is being played, or it stopped before its end: make reset")


def _supervise(folder: Path, plan: Plan) -> None:
    """Pass the plan to the supervisor, which is started if there is none, and wait until it has read it."""
    pid = supervisor_pid(folder)
    if pid is not None and read_record(folder).plan == plan.digest:
        return
    write_plan(folder, plan)
    if pid is None:
        with open_private(log_file(folder, "supervisor"), "ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "deploy.local.supervisor", str(folder)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=UMASK,
            )
    else:
        os.kill(pid, signal.SIGHUP)
    deadline = time.monotonic() + _SECONDS_TO_STOP
    while supervisor_pid(folder) is None or read_record(folder).plan != plan.digest:
        if time.monotonic() > deadline:
            raise StackError(f"the supervisor did not take the plan; read {log_file(folder, 'supervisor')}")
        time.sleep(0.1)


def _stop_processes(folder: Path) -> None:
    pid = supervisor_pid(folder)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _SECONDS_TO_STOP
    while supervisor_pid(folder) is not None:
        if time.monotonic() > deadline:
            raise StackError(f"the supervisor {pid} does not stop; read {log_file(folder, 'supervisor')}")
        time.sleep(0.1)


def _wait_until_ready(folder: Path, plan: Plan, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    waiting = list(plan.processes)
    while waiting:
        waiting = [process for process in waiting if not _is_ready(process)]
        hopeless = [process for process in waiting if _restarts(folder, process) >= _MOST_EARLY_RESTARTS]
        if hopeless or (waiting and time.monotonic() > deadline):
            raise StackError(_why_not_ready(folder, hopeless or waiting))
        time.sleep(0.1)


def _is_of(name: str, program: str) -> bool:
    return name.rpartition("-")[0] == program


def _wait_until_ended(pids: Collection[int]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_STOP
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            raise StackError("A process does not stop; read its log.")
        time.sleep(0.1)


def _is_ready(process: Process) -> bool:
    try:
        return requests.get(process.ready_url, timeout=3).ok
    except requests.RequestException:
        return False


def _planned_by_this_code(folder: Path, plan: Plan, say: Say) -> tuple[Process, ...]:
    """Return a plan's processes; if other code planned them, plan them anew and prepare nodes and databases."""
    if {process.version for process in plan.processes} <= {source_version()}:
        return plan.processes
    scale = _scale_of(plan)
    context = _context(folder, scale, find_addresses(folder, keep_secrets(folder)), None, {})
    _prepare_databases(folder, context, say)
    return planned_processes(scale, context)


def _scale_of(plan: Plan) -> dict[str, int]:
    scale = Counter(process.program for process in plan.processes)
    return {program: scale[program] for program in (*SERVICES, *SIMULATORS)}


def _restart(folder: Path, process: Process) -> None:
    """Have the supervisor replace the process of this name, and wait until the new one is ready."""
    before = read_record(folder).processes[process.name]
    plan = read_plan(folder)
    if process in plan.processes:
        if before.pid is not None:
            os.kill(before.pid, signal.SIGTERM)
    else:
        others = {one.name: one for one in plan.processes}
        _supervise(folder, replace(plan, processes=tuple({**others, process.name: process}.values())))
    deadline = time.monotonic() + _SECONDS_TO_STOP + _SECONDS_TO_BE_READY
    while True:
        now = read_record(folder).processes[process.name]
        if now.pid not in (None, before.pid) and _is_ready(process):
            return
        if time.monotonic() > deadline:
            raise StackError(_why_not_ready(folder, [process]))
        time.sleep(0.1)


def _restarts(folder: Path, process: Process) -> int:
    return read_record(folder).processes.get(process.name, ProcessRecord()).restarts


def _why_not_ready(folder: Path, processes: list[Process]) -> str:
    paragraphs = []
    for process in processes:
        log = log_file(folder, process.name)
        paragraphs.append(f"{process.name} is not ready. The end of {log}:\n{_end_of(log)}")
    return "\n\n".join(paragraphs)


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else ""


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """One command at a time changes the stack of a folder."""
    make_private(folder)
    with open_private(folder / "stack.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
