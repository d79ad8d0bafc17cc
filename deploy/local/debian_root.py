"""Runs the tests in a fresh root of the other Debian: `python3 -m deploy.local.debian_root run trixie [make test]`.

The root in `.local/debian/<suite>` holds what a fresh machine has, and the committed project. `drop` deletes it, and
`again` instead of `run` reuses it. Only its own processes see its mounts, and they end with this program, also when it
is killed. It needs root, and only the standard library.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from deploy.local.bootstrap import ROOT, install_packages

_FOLDER = ROOT / ".local" / "debian"
_PROJECT = "srv/cards"
_BARE = "make,git,python3,ca-certificates"
_CACHES = {"apt": "var/cache/apt/archives", "pip": "root/.cache/pip", "npm": "root/.npm"}
_CLIENT_FILES = (
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/pip.conf",
    "/etc/xdg/pip/pip.conf",
    "~/.config/pip/pip.conf",
    "~/.pip/pip.conf",
    "/etc/npmrc",
    "/usr/etc/npmrc",
    "~/.npmrc",
)
_CLIENT_VARIABLES = re.compile(
    r"(PIP|NPM_CONFIG|SSL_CERT)_.*|(HTTPS?|FTP|ALL|NO)_PROXY|(REQUESTS|CURL)_CA_BUNDLE|NODE_EXTRA_CA_CERTS|CI|TERM",
    re.IGNORECASE,
)
_ENVIRONMENT = {
    "HOME": "/root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
_CLIENT_OPTIONS_OF_APT = re.compile(r"Acquire::(https?::|Check-|Retries|ForceIPv)")
_NEW_MOUNTS, _NEW_PROCESS_IDS, _SIGNAL_AT_PARENTS_DEATH = 0x00020000, 0x20000000, 1


def other_suite(os_release: str) -> str:
    """Return the supported Debian suite that this machine, by its /etc/os-release, does not run."""
    return "bookworm" if re.search(r"^VERSION_CODENAME=trixie$", os_release, re.MULTILINE) else "trixie"


def sources(targets: str, suite: str) -> str:
    """Return a sources.list for the suite, made from this machine's sources.

    `targets` is the output of `apt-get indextargets`: address, codename, component and origin of each.
    """
    lines = [line.split() for line in targets.splitlines()]
    of_debian = [words for words in lines if len(words) == 4 and words[3] == "Debian"]
    return "".join(
        f"deb {address} {re.sub('^[a-z]+', suite, codename)} {component}\n"
        for address, codename, component, _ in dict.fromkeys(map(tuple, of_debian))
    )


def client_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that configure clients of package registries; the root gets no others."""
    variables = {name: value for name, value in environment.items() if _CLIENT_VARIABLES.fullmatch(name)}
    variables.pop("PIP_CACHE_DIR", None)
    return variables


def named_paths(texts: Iterable[str]) -> list[Path]:
    """Return the files and folders that the clients' settings name: certificates, constraints, packages."""
    words = (word for text in texts for word in re.split(r"[\s=:,\"']+(?:file:)?", text))
    return sorted({Path(word) for word in words if word.startswith("/") and Path(word).exists()})


def client_folders(paths: Iterable[Path], root: Path) -> set[Path]:
    """Return the folders of packages among the paths, widened to their parents.

    An index may name files beside its folder by `../`; a home or a top-level folder is not taken. What the root has
    itself, such as certificate authorities, is left out.
    """
    folders = (path for path in paths if path.is_dir())
    chains = ([folder, folder.parent] if _is_narrow(folder.parent) else [folder] for folder in folders)
    missing = ([folder for folder in chain if not _holds_files(root / folder.relative_to("/"))] for chain in chains)
    return {chain[-1] for chain in missing if chain}


def apart(work: Callable[[], int]) -> int:
    """Do the work in a process with private mounts and return its exit status.

    All processes that it starts end with it, and it ends with this one.
    """
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.unshare(_NEW_MOUNTS | _NEW_PROCESS_IDS):
        raise OSError(ctypes.get_errno(), "cannot have mounts and process ids apart")
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    kernel.prctl(_SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL)
    _mount("--make-rprivate", "/")  # mounts may be shared with the new namespace by default
    os._exit(work())


def main() -> int:
    options = _parser().parse_args()
    if os.geteuid() != 0:
        print("A root of another Debian is made and entered by root alone: sudo make test-debian", file=sys.stderr)
        return 1
    if options.action == "run" and not shutil.which("mmdebstrap"):
        install_packages(["mmdebstrap"])
    folder = _FOLDER / options.suite
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if options.action != "again":
            shutil.rmtree(folder / "root", ignore_errors=True)
        return 0 if options.action == "drop" else apart(lambda: _work(folder / "root", options))


def _is_narrow(folder: Path) -> bool:
    """Whether a folder is neither at the top level nor a home."""
    is_home = folder.parent == Path("/home") or Path.home().is_relative_to(folder)
    return len(folder.parts) > 2 and not is_home


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m deploy.local.debian_root", description="A bare root of a Debian.")
    parser.add_argument("action", choices=("run", "again", "drop"))
    parser.add_argument("suite", nargs="?", default=other_suite(Path("/etc/os-release").read_text()))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser


def _work(root: Path, options: argparse.Namespace) -> int:
    """Make the root, unless it is reused, unpack the project in it, and run the command."""
    _mount("-t", "proc", "proc", "/proc")
    if options.action == "run":
        _make_root(root, options.suite)
    _lay_project(root / _PROJECT)
    _mount_all(root)
    return _run(root, options.command or ["make", "test"])


def _make_root(root: Path, suite: str) -> None:
    print(f"making a bare root of {suite}", flush=True)
    lines = [line for line in _output("apt-config", "dump").splitlines() if _CLIENT_OPTIONS_OF_APT.match(line)]
    options = [f"--aptopt={line}" for line in lines]
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={_BARE}", *options, suite, str(root)]
    known = sources(_targets(), suite)
    subprocess.run([*command, "-"] if known else command, input=known, text=True, check=True)


def _targets() -> str:
    command = ("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)")
    return _output(*command, "Created-By: Packages")


def _lay_project(place: Path) -> None:
    """Clone what is committed, with its history: a test upgrades a former release."""
    if not (place / ".git").exists():
        subprocess.run(["git", "init", "--quiet", str(place)], check=True)
    subprocess.run(["git", "fetch", "--quiet", str(ROOT), "HEAD"], cwd=place, check=True)
    subprocess.run(["git", "reset", "--quiet", "--hard", "FETCH_HEAD"], cwd=place, check=True)


def _run(root: Path, command: list[str]) -> int:
    """Run a command in the project's folder in the root, and reap the processes that it orphans."""
    inside = ["chroot", str(root), "env", f"--chdir=/{_PROJECT}", *command]
    started = subprocess.Popen(inside, env={**_ENVIRONMENT, **client_environment(os.environ)})
    while True:
        ended, status = os.wait()
        if ended == started.pid:
            return os.waitstatus_to_exitcode(status)


def _mount_all(root: Path) -> None:
    _mount("--bind", root, root)  # a root of its own, in which a further one can be made
    _mount("-t", "proc", "proc", root / "proc")
    _mount("-t", "sysfs", "-o", "ro", "sysfs", root / "sys")
    _mount("--bind", "/dev", root / "dev")
    _mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666", "devpts", root / "dev/pts")
    _mount("-t", "tmpfs", "tmpfs", root / "dev/shm")
    for name, place in _CACHES.items():
        cache = root.parent / name
        cache.mkdir(exist_ok=True)
        _bind(cache, root / place)
    for source, target in _client_files():
        _bind(source, root / target, "ro")
    for folder in client_folders(_paths_in_settings(), root):
        _bind(folder, root / folder.relative_to("/"), "ro")


def _client_files() -> Iterator[tuple[Path, Path]]:
    """Yield the configuration files of package clients, and their places in the root."""
    home = Path.home()
    for file in _settings_of_clients():
        yield file, Path("root") / file.relative_to(home) if file.is_relative_to(home) else file.relative_to("/")
    for path in _paths_in_settings():
        if path.is_file():
            yield path, path.relative_to("/")


def _settings_of_clients() -> list[Path]:
    files = (Path(name).expanduser() for name in _CLIENT_FILES)
    return [file for file in files if file.is_file()]


def _paths_in_settings() -> list[Path]:
    texts = [file.read_text() for file in _settings_of_clients()]
    return named_paths([*client_environment(os.environ).values(), *texts])


def _holds_files(folder: Path) -> bool:
    return any(names for _, _, names in os.walk(folder))


def _bind(source: Path, target: Path, *options: str) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        if target.is_symlink():
            target.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount("--bind", *(word for option in options for word in ("-o", option)), source, target)


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
