"""Prepares a bare machine to run the project: checks, Debian packages, virtual environment, node for the pages.

    python3 deploy/local/bootstrap.py run|city|test

Runs before anything is installed, so it uses the standard library only, and runs on Python 3.7 to say which version is
needed. Everything is checked before anything is changed; what it may not do itself is printed in one message.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
SERVICES = ("membership", "validation", "batching", "revocation", "notification")
_LOCKS = {
    "run": ("requirements.lock",),
    "city": ("requirements.lock", "requirements-history.lock"),
    "test": ("requirements-dev.lock",),
}
"""By purpose: to run the system, to play its past as well, to test it."""
_NODE_LOCK = "requirements-node.lock"
_CHROMIUM = "/usr/bin/chromium-headless-shell"
_PYTHONS = ((3, 11), (3, 12), (3, 13))
"""The Python versions that the lock files support."""
_POLICY = Path("/usr/sbin/policy-rc.d")


@dataclass(frozen=True)
class DebianPackage:
    """A package, and the test whether it or an equivalent is installed."""

    name: str
    is_there: bool


def main() -> int:
    """Prepare the machine for a purpose; return 1 with one message if that is not possible."""
    if sys.argv[1:] not in [[purpose] for purpose in _LOCKS]:
        print(f"usage: bootstrap.py {'|'.join(_LOCKS)}", file=sys.stderr)
        return 2
    purpose = sys.argv[1]
    missing = missing_packages(purpose)
    objection = _objection(missing)
    if objection:
        print(objection, file=sys.stderr)
        return 1
    shut_local_folder()
    if "python3-venv" in missing:
        install_packages(["python3-venv"])
        missing.remove("python3-venv")
    with ThreadPoolExecutor(1) as beside:
        python_packages = beside.submit(_install_python_packages, purpose)
        if missing:
            install_packages(missing)
        python_packages.result()
    return 0


def shut_local_folder() -> None:
    """Let only its owner enter `.local`, which holds secrets, messages and logs."""
    folder = ROOT / ".local"
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)


def missing_packages(purpose: str) -> list[str]:
    """Return the Debian packages that must be installed first; none for a broker or database given by address."""
    needs_broker = purpose == "test" or not os.environ.get("AMQP_URI")
    needs_database = purpose == "test" or not all(os.environ.get(f"DATABASE_URL_{name.upper()}") for name in SERVICES)
    fonts_given = bool(os.environ.get("REGISTER_FONTS"))
    packages = [
        DebianPackage("rabbitmq-server", not needs_broker or Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists()),
        DebianPackage("postgresql", not needs_database or _has_postgres()),
        DebianPackage("fonts-wqy-zenhei", fonts_given or Path("/usr/share/fonts/truetype/wqy").exists()),
        DebianPackage("fonts-hanazono", fonts_given or Path("/usr/share/fonts/truetype/hanazono").exists()),
        DebianPackage("tesseract-ocr", purpose != "test" or Path("/usr/bin/tesseract").exists()),
        DebianPackage(
            "chromium-headless-shell", purpose != "test" or Path("/usr/bin/chromium-headless-shell").exists()
        ),
        DebianPackage("libatomic1", purpose != "test" or _has_libatomic()),
        DebianPackage("libfaketime", purpose != "city" or _has_libfaketime()),
        DebianPackage("python3-venv", _error_in_venv() is None or importlib.util.find_spec("ensurepip") is not None),
    ]
    return [package.name for package in packages if not package.is_there]


def machine_has_node() -> bool:
    """Whether the machine's own node and npm can build the pages: 20.19 or later of 20, or 22.13 or later."""
    if not shutil.which("npm") or not shutil.which("node"):
        return False
    output = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", output)[:2])
    return (20, 19) <= version < (21, 0) or version >= (22, 13)


def _objection(missing: list[str]) -> str | None:
    """Return what a person must do first, or None."""
    if sys.version_info[:2] not in _PYTHONS:
        return _objection_to_python()
    if not missing:
        return None
    if os.geteuid() == 0 and shutil.which("apt-get"):
        return None
    return (
        f"These packages are missing: {' '.join(missing)}\n"
        f"  As root, on Debian:  apt-get install --no-install-recommends {' '.join(missing)}\n"
        "  Or name what is to be used instead of private nodes: AMQP_URI=amqp://…, and for each service\n"
        f"  DATABASE_URL_<SERVICE>=postgresql://… ({', '.join(name.upper() for name in SERVICES)});\n"
        "  fonts for the register: REGISTER_FONTS=/path/a.ttf,/path/b.ttf"
    )


def _objection_to_python() -> str:
    *others, newest = (f"{major}.{minor}" for major, minor in _PYTHONS)
    mismatch = "too old" if sys.version_info[:2] < _PYTHONS[0] else "too new"
    needed = (
        f"Python {', '.join(others)} or {newest} is needed; this is {sys.version.split()[0]}, which is {mismatch}.\n"
    )
    fitting = _fitting_python()
    if fitting:
        return f"{needed}  This machine has a fitting one:  make {sys.argv[1]} PYTHON={fitting}"
    return (
        f"{needed}  Debian 12 and 13 bring one:  apt-get install --no-install-recommends python3 python3-venv\n"
        f"  Elsewhere install one of these and name it:  make {sys.argv[1]} PYTHON=/path/to/python{newest}"
    )


def _fitting_python() -> str | None:
    """Return the path of an installed Python that the lock files support; Debian's own first."""
    places = ["/usr/bin", *os.environ.get("PATH", "").split(os.pathsep)]
    names = ["python3", *(f"python{major}.{minor}" for major, minor in reversed(_PYTHONS))]
    found = (shutil.which(name, path=place) for place in places for name in names)
    return next((path for path in found if path and _version_of(path) in _PYTHONS), None)


def _version_of(python: str) -> tuple[int, ...] | None:
    command = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
        return tuple(int(part) for part in done.stdout.split())
    except (OSError, ValueError):
        return None


def _has_postgres() -> bool:
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb") is not None


def _has_libatomic() -> bool:
    """Whether the library is there that the program needs by which Playwright drives the browser."""
    return any(Path("/usr/lib").glob("*/libatomic.so.1"))


def _has_libfaketime() -> bool:
    """Whether the library is there by which PostgreSQL goes by another clock."""
    return any(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def _error_in_venv() -> str | None:
    """Return why the virtual environment must be remade; None if it fits the running Python."""
    try:
        settings = (VENV / "pyvenv.cfg").read_text()
        starts_pip = (VENV / "bin" / "pip").read_text()
    except OSError:
        return "has no pip"
    version = re.search(r"^version(?:_info)? = (\d+)\.(\d+)", settings, re.MULTILINE)
    if not version or (int(version[1]), int(version[2])) != sys.version_info[:2]:
        return f"is of another Python than {sys.version_info[0]}.{sys.version_info[1]}"
    place = re.search(r"""(?:[!"]|exec' )(/.*)/bin/python""", starts_pip)
    if not place or Path(place[1]).resolve() != VENV.resolve():
        return "was moved"
    return None if (VENV / "bin" / "python").exists() else "is of a Python that is gone"


def install_packages(names: list[str]) -> None:
    print(f"installing Debian packages: {' '.join(names)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet_apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    with _no_services_started():
        subprocess.run([*quiet_apt, "update"], env=environment, check=True)
        subprocess.run(
            [*quiet_apt, "install", "--yes", "--no-install-recommends", *names],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )


@contextmanager
def _no_services_started() -> Iterator[None]:
    """Keep packages from starting system services: Debian runs policy-rc.d, where status 101 forbids it.

    The former policy-rc.d is restored, also after an interruption.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    before = _POLICY.read_bytes() if _POLICY.exists() else None
    mode = _POLICY.stat().st_mode if before is not None else 0o755
    try:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
        yield
    finally:
        if before is None:
            _POLICY.unlink(missing_ok=True)
        else:
            _POLICY.write_bytes(before)
            _POLICY.chmod(mode)


def _install_python_packages(purpose: str) -> None:
    _make_venv()
    for lock in _LOCKS[purpose]:
        _install_lock(ROOT / lock)
    if not machine_has_node():
        _install_lock(ROOT / _NODE_LOCK)


def _make_venv() -> None:
    """Make the virtual environment, unless there is a fitting one."""
    error = _error_in_venv()
    if error is None:
        return
    if VENV.exists():
        print(f"{VENV.name} {error}: making it anew", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)


def _install_lock(lock: Path) -> None:
    """Install exactly what the lock file names, unless that has been done."""
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    done = VENV / "installed" / digest
    if done.exists():
        return
    print(f"installing Python packages of {lock.name}", flush=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--require-hashes", "-r", str(lock)], check=True)
    done.parent.mkdir(exist_ok=True)
    done.touch()


if __name__ == "__main__":
    sys.exit(main())
