"""Ports are held from their choice until the process that chose them ends."""

import socket
import subprocess
import sys

from deploy.local.ports import LOOPBACK, hold_port, is_free
from tests.databases import ROOT


def test_a_held_port_is_chosen_by_no_other_process() -> None:
    held = sorted({hold_port() for _ in range(5)})
    chooser = (
        f"from deploy.local import ports; print([ports._hold(port) for port in {held}], ports.hold_port() in {held})"
    )
    answer = subprocess.run([sys.executable, "-c", chooser], cwd=ROOT, capture_output=True, text=True, check=True)

    assert len(held) == 5
    assert answer.stdout.strip() == f"{[False] * 5} False"


def test_the_program_that_is_told_a_held_port_may_listen_on_it_again_and_again() -> None:
    port = hold_port()
    for _ in range(2):
        with socket.create_server((LOOPBACK, port)):
            assert not is_free(port)
        assert is_free(port)


def test_a_port_that_was_used_before_is_given_again() -> None:
    port = hold_port()

    assert hold_port(port) == port


def test_an_own_port_at_which_somebody_listens_is_replaced() -> None:
    port = hold_port()
    with socket.create_server((LOOPBACK, port)):
        assert hold_port(port) != port


def _a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def test_two_programs_that_begin_at_the_same_time_do_not_get_one_preferred_port() -> None:
    port = _a_free_port()
    assert [hold_port(preferred=port) for _ in range(2)] == [port] * 2
    script = f"from deploy.local.ports import hold_port; print(hold_port(preferred={port}))"
    taken = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(taken.stdout) != port


def test_a_preferred_port_whose_last_connections_have_just_ended_is_taken() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)):
            accepted, _ = server.accept()
            accepted.close()
    assert hold_port(preferred=port) == port


def test_a_preferred_port_at_which_somebody_listens_is_replaced_too() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert hold_port(preferred=server.getsockname()[1]) != server.getsockname()[1]
