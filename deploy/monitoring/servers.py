"""Runs Prometheus and Alertmanager with this folder's rules beside a system of this machine."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import yaml

from deploy.local.environment import keep_secrets, read_state
from deploy.local.ports import LOOPBACK, hold_port
from deploy.local.private_files import UMASK, make_private, open_private, write_private
from deploy.local.processes import read_plan
from deploy.local.stack import StackError
from deploy.permissions import SERVICES

CONFIGURATION = Path(__file__).parent
PACKAGES = {"prometheus": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}
"""The programs by the Debian packages that bring them."""
_SECONDS_TO_START = 60
_SECONDS_TO_STOP = 30


@dataclass(frozen=True)
class Servers:
    """Both servers, running."""

    prometheus_url: str
    alertmanager_url: str


def targets(stack_folder: Path) -> list[dict[str, Any]]:
    """Returns what Prometheus is to scrape of the system in this folder, as its file-based discovery reads it."""
    return [
        {"targets": [urlsplit(process.ready_url).netloc], "labels": {"program": process.program}}
        for process in read_plan(stack_folder).processes
        if process.program in (*SERVICES, "gateway")
    ]


@contextmanager
def running_servers(
    folder: Path, stack_folder: Path, rules: str | None = None, interval: str | None = None
) -> Iterator[Servers]:
    """Runs both, until the end, for the system in `stack_folder`; their data and logs are in `folder`, anew.

    `rules` replace those of alerts.yml; `interval` replaces how often metrics are fetched and rules evaluated.
    Raises StackError.
    """
    _require_programs()
    shutil.rmtree(folder, ignore_errors=True)
    make_private(folder)
    addresses = {name: f"{LOOPBACK}:{hold_port()}" for name in ("prometheus", "alertmanager")}
    _configure(folder, stack_folder, rules, interval, addresses["alertmanager"])
    with ExitStack() as running:
        for name, command in _commands(folder, addresses).items():
            running.enter_context(_running(folder, name, command, f"http://{addresses[name]}/-/ready"))
        yield Servers(f"http://{addresses['prometheus']}", f"http://{addresses['alertmanager']}")


def _require_programs() -> None:
    missing = [package for package, program in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        raise StackError(f"As root, on Debian:  apt-get install --no-install-recommends {' '.join(missing)}")


def _configure(folder: Path, stack_folder: Path, rules: str | None, interval: str | None, alertmanager: str) -> None:
    """Writes the configuration of both: that of this folder, with the addresses of this machine."""
    configuration = yaml.safe_load((CONFIGURATION / "prometheus.yml").read_text("utf-8"))
    configuration["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alertmanager]}]}]
    if interval:
        configuration["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
    make_private(folder / "targets")
    write_private(folder / "targets" / "local.json", json.dumps(targets(stack_folder)))
    write_private(folder / "prometheus.yml", yaml.safe_dump(configuration))
    write_private(folder / "alerts.yml", rules or (CONFIGURATION / "alerts.yml").read_text("utf-8"))
    write_private(folder / "alertmanager.yml", yaml.safe_dump(_alertmanager(folder, stack_folder)))


def _alertmanager(folder: Path, stack_folder: Path) -> dict[str, Any]:
    """Alertmanager's configuration, which tells the local gateway of alerts."""
    configuration: dict[str, Any] = yaml.safe_load((CONFIGURATION / "alertmanager.yml").read_text("utf-8"))
    token, gateway = folder / "alerts-token", f"{LOOPBACK}:{read_state(stack_folder)['ports']['gateway']}"
    write_private(token, keep_secrets(stack_folder)["ALERTS_TOKEN"])
    (receiver,) = (one for one in configuration["receivers"] if one["name"] == "operators")
    for webhook in receiver["webhook_configs"]:
        webhook["url"] = f"http://{gateway}{urlsplit(webhook['url']).path}"
        webhook["http_config"]["authorization"]["credentials_file"] = str(token)
    return configuration


def _commands(folder: Path, addresses: Mapping[str, str]) -> dict[str, list[str]]:
    """Alertmanager comes first, so that no alert meets a closed port."""
    return {
        "alertmanager": [
            "prometheus-alertmanager",
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={addresses['alertmanager']}",
            "--cluster.listen-address=",
        ],
        "prometheus": [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={addresses['prometheus']}",
        ],
    }


@contextmanager
def _running(folder: Path, name: str, command: list[str], ready_url: str) -> Iterator[None]:
    with open_private(folder / f"{name}.log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, umask=UMASK)
    try:
        _wait_until_ready(server, ready_url, folder / f"{name}.log")
        yield
    finally:
        server.terminate()
        try:
            server.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise StackError(f"{url} does not answer:\n{log.read_text()[-2000:]}")
