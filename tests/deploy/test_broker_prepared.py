"""A fresh broker is prepared by the commands of the guide, and by nothing else."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import amqp
import pytest

from deploy.broker import password_variable
from deploy.local import rabbitmq
from deploy.local.rabbitmq import ADMINISTRATOR, RabbitMQ
from deploy.permissions import PROGRAMS
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import depth_of
from services.kit.events.topology import all_queues
from services.kit.secret_values import Secret
from services.kit.settings import MessagingSettings
from tests.databases import ROOT

pytestmark = [pytest.mark.deploy("a fresh broker, and RabbitMQ's own commands"), pytest.mark.timeout(300)]

GUIDE = ROOT / "docs" / "operations" / "broker.md"
INSTALLING = ROOT / "docs" / "operations" / "installing.md"
PASSWORD = "of-{}"
_COMMANDS = "/usr/lib/rabbitmq/bin"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A node as its package makes it: an administrator, the virtual host / and nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    yield rabbitmq.start(folder)
    rabbitmq.drop(folder)


def commands_of(document: Path, *words: str) -> str:
    """The block of commands of a document in which all words are."""
    (block,) = [one for one in re.findall(r"```\n(.*?)```", document.read_text(), re.S) if all(map(one.count, words))]
    return str(block)


def run_as_written(commands: str, on: RabbitMQ, vhost: str, folder: Path) -> None:
    """Runs the lines of a guide that concern the broker, with this broker's address and passwords."""
    uri = on.uri(vhost)
    lines = [line for line in commands.splitlines() if "rabbitmqctl" in line or "deploy.broker" in line]
    script = re.sub(r"AMQP_URI=(<[^>]*>|\S+)", f"AMQP_URI={uri}", "\n".join(lines))
    script = script.replace("BROKER_VHOST=cards", f"BROKER_VHOST={vhost}")
    script = script.replace("--administrator administrator", f"--administrator {ADMINISTRATOR}")
    environment = {
        **rabbitmq.environment(on.folder),
        **{password_variable(program): PASSWORD.format(program) for program in PROGRAMS},
        "PYTHONPATH": str(ROOT),
    }
    environment["PATH"] = f"{folder}:{_COMMANDS}:{environment['PATH']}"
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python").chmod(0o700)
    done = subprocess.run(
        ["bash", "-ec", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(INSTALLING, ["deploy.broker prepare", "migrate"], id="installing"),
        pytest.param(GUIDE, ["deploy.broker prepare"], id="in one step"),
        pytest.param(GUIDE, ["rabbitmqctl import_definitions"], id="in two steps"),
    ],
)
def test_a_fresh_node_has_all_that_programs_need_after_the_guides_commands(
    fresh: RabbitMQ, tmp_path: Path, document: Path, words: list[str]
) -> None:
    vhost = f"cards{abs(hash((document.name, *words)))}"
    with pytest.raises(amqp.NotAllowed):
        open_connection(fresh.uri(vhost), "before")

    for _ in range(2):
        run_as_written(commands_of(document, *words), fresh, vhost, tmp_path)

    queues = all_queues(MessagingSettings(Secret()).retry_delays)
    for program in PROGRAMS:
        with open_connection(fresh.uri(vhost, program, PASSWORD.format(program)), program) as connection:
            if program not in ("bank", "insurer"):
                assert [queue for queue in queues if depth_of(connection, queue) is None] == []


def test_prepare_says_what_is_not_set_and_shows_no_password() -> None:
    environment = {**os.environ, "AMQP_URI": "amqp://someone:s3cr3t/@broker;amqp://b", "PYTHONPATH": str(ROOT)}
    for passwords, said in (
        ({}, "AMQP_PASSWORD_MEMBERSHIP is not set"),
        (
            {password_variable(program): "s3cr3t" for program in PROGRAMS},
            "AMQP_URI ",
        ),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "deploy.broker", "prepare"],
            env={**environment, **passwords},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert said in done.stderr
        assert "s3cr3t" not in done.stdout + done.stderr
