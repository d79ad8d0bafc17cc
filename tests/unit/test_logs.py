"""Logs: JSON lines without values of errors."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from services.kit.operations.logs import configure_logs, traceback_without_values

SECRET = "310101199001011234"


@pytest.fixture(autouse=True)
def _restore_logs() -> Iterator[None]:
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in ("root", "services", "gateway", "deploy", "__main__")}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.reset_defaults()


def test_a_line_names_the_service_and_what_is_bound(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("membership")
    with structlog.contextvars.bound_contextvars(correlation_id="c1"):
        structlog.get_logger().warning("late", queue="q")
    record = json.loads(capsys.readouterr().out)
    assert (record["event"], record["service"], record["correlation_id"], record["queue"]) == (
        "late",
        "membership",
        "c1",
        "q",
    )


def test_errors_that_libraries_log_lose_their_words(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("membership")
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        logging.getLogger("nameko.containers").exception("error handling worker %s: %s", "w", error)
    printed = capsys.readouterr().out
    assert SECRET not in printed
    assert json.loads(printed)["error"] == "builtins.ValueError"


def test_a_traceback_without_values_names_places_and_classes() -> None:
    try:
        try:
            int(SECRET + "x")
        except ValueError as error:
            raise KeyError(SECRET) from error
    except KeyError as error:
        text = traceback_without_values(error)
    assert SECRET not in text
    assert "KeyError" in text
    assert "ValueError" in text
    assert "test_logs.py" in text


def test_libraries_speak_only_of_what_is_wrong_however_much_we_say(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("membership", "DEBUG")
    logging.getLogger("sqlalchemy.engine.Engine").info("row (%r)", SECRET)
    logging.getLogger("services.membership.members.members").debug("ours")
    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == ["ours"]
