"""Runs work in a process of its own: work that would block other requests, or reads untrusted files.

`python -m services.kit.operations.processes module memory cpu_seconds` runs a module within these limits.
"""

import os
import resource
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_BUFFER = 1024 * 1024
"""Bytes. Without a buffer size eventlet's pipes read lines byte by byte."""
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
"""Environment variables that the process gets; none of them is a secret."""


class ProcessFailed(Exception):
    """The process failed: it was killed, or ran out of memory or time."""


def run_limited(module: str, content: bytes, *, memory: int, cpu_seconds: int) -> Iterator[bytes]:
    """Runs `python -m module` with the content as input and yields its output lines; raises ProcessFailed.

    In a service other green threads run while it waits for the pipe.
    """
    with os.fdopen(os.memfd_create("input"), "w+b") as input_file:
        input_file.write(content)
        input_file.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, module, str(memory), str(cpu_seconds)],
            bufsize=_BUFFER,
            stdin=input_file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
        )
    try:
        yield from process.stdout or ()
        if process.wait() != 0:
            raise ProcessFailed(f"{module} ended with {process.returncode}")
    finally:
        process.kill()
        if process.stdout:
            process.stdout.close()
        process.wait()


def _main(module: str, memory: str, cpu_seconds: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_seconds), int(cpu_seconds)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python -m services.kit.operations.processes module memory cpu_seconds")
    _main(*sys.argv[1:])
