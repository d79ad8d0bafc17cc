"""The plan of which processes should run and the record of which do: two files shared by stack and supervisor."""

import fcntl
import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.private_files import write_private


@dataclass(frozen=True)
class Process:
    """One process that should run; if it differs in anything from the running one, that is restarted."""

    name: str
    """`validation-2`: the program and its number."""
    command: tuple[str, ...]
    environment: dict[str, str]
    ready_url: str
    """Answers 200 when the process is ready for work."""
    version: str
    """Changes when the code does."""

    @property
    def program(self) -> str:
        return self.name.rpartition("-")[0]


@dataclass(frozen=True)
class Plan:
    """What the supervisor keeps running: processes, and the private nodes of its folder."""

    processes: tuple[Process, ...] = ()
    nodes: tuple[str, ...] = ()
    """`postgres` and `rabbitmq`, as far as the stack runs them itself."""

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class ProcessRecord:
    """What the supervisor knows of one process."""

    pid: int | None = None
    state: str = "waiting"
    """`running`, or `waiting` to be restarted."""
    since: float = 0.0
    restarts: int = 0
    last_exit: int | None = None


@dataclass
class Record:
    """The state of the processes under the plan with this digest."""

    plan: str = ""
    processes: dict[str, ProcessRecord] = field(default_factory=dict)


def write_plan(folder: Path, plan: Plan) -> None:
    _replace(folder / "plan.json", asdict(plan))


def read_plan(folder: Path) -> Plan:
    """Return the plan of this folder, or an empty one."""
    written = _read(folder / "plan.json")
    processes = [Process(**{**entry, "command": tuple(entry["command"])}) for entry in written.get("processes", [])]
    return Plan(tuple(processes), tuple(written.get("nodes", [])))


def write_record(folder: Path, record: Record) -> None:
    _replace(folder / "record.json", asdict(record))


def read_record(folder: Path) -> Record:
    """Return the record of this folder, or an empty one."""
    written = _read(folder / "record.json")
    processes = {name: ProcessRecord(**entry) for name, entry in written.get("processes", {}).items()}
    return Record(written.get("plan", ""), processes)


def supervisor_pid(folder: Path) -> int | None:
    """Return the process id of the supervisor that runs in this folder, or None."""
    try:
        with (folder / "supervisor.lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0) or None
    except FileNotFoundError:
        pass
    return None


def log_file(folder: Path, name: str) -> Path:
    return folder / "logs" / f"{name}.log"


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _replace(path: Path, content: dict[str, Any]) -> None:
    """Replace a file atomically by a private one, since a plan holds secrets."""
    write_private(path, json.dumps(content, indent=1))
