"""What Prometheus is told to scrape of a local system, and what is said where it is not installed."""

import shutil
from pathlib import Path

import pytest

from deploy.local.processes import Plan, Process, write_plan
from deploy.local.stack import StackError
from deploy.monitoring.servers import running_servers, targets


def a_process(name: str, port: int) -> Process:
    return Process(name, ("python",), {}, f"http://127.0.0.1:{port}/readyz", "1")


def test_each_process_of_ours_is_a_target_with_its_program_and_simulators_are_none(tmp_path: Path) -> None:
    names = ("registry-1", "validation-1", "validation-2", "gateway-1")
    write_plan(tmp_path, Plan(tuple(a_process(name, 20_000 + number) for number, name in enumerate(names))))

    assert targets(tmp_path) == [
        {"targets": ["127.0.0.1:20001"], "labels": {"program": "validation"}},
        {"targets": ["127.0.0.1:20002"], "labels": {"program": "validation"}},
        {"targets": ["127.0.0.1:20003"], "labels": {"program": "gateway"}},
    ]


def test_without_prometheus_the_packages_to_install_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    with (
        pytest.raises(StackError, match=r"apt-get install .* prometheus prometheus-alertmanager"),
        running_servers(tmp_path / "monitoring", tmp_path),
    ):
        pass
