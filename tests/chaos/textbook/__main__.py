"""Runs one of the two services: `python -m tests.chaos.textbook QueueingService`, as `nameko run` does.

Settings come from AMQP_URI, DATABASE_URL and HTTP_PORT.
"""

# ruff: noqa: E402 - patching comes first
import eventlet

eventlet.monkey_patch()

import os
import sys

from nameko.runners import ServiceRunner

from tests.chaos.textbook import services


def main() -> None:
    """Runs until it is ended."""
    address = f"127.0.0.1:{os.environ['HTTP_PORT']}"
    runner = ServiceRunner({"AMQP_URI": os.environ["AMQP_URI"], "WEB_SERVER_ADDRESS": address})
    runner.add_service(getattr(services, sys.argv[1]))
    runner.start()
    runner.wait()


if __name__ == "__main__":
    main()
