"""The operator's tool for dead letters: `python -m services.common.dead_letters list|show|replay|discard`."""

import argparse
import os
import sys
from collections.abc import Callable

from services.common.logs import configure_logs
from services.common.messaging.dead_letters import DeadLetter, DeadLetters


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line asks on the broker of AMQP_URI; answers the exit status."""
    options = _parser().parse_args(arguments)
    amqp_uri = os.environ.get("AMQP_URI")
    if not amqp_uri:
        print("AMQP_URI is not set", file=sys.stderr)
        return 2
    configure_logs("dead_letters")
    try:
        return int(options.run(DeadLetters(amqp_uri), options))
    except LookupError as error:
        print(error, file=sys.stderr)
        return 1


def _list(letters: DeadLetters, options: argparse.Namespace) -> int:
    queues = {options.queue: 0} if options.queue else letters.queues()
    for queue, size in queues.items():
        if size:
            print(f"{queue}: {size}")
        for letter in letters.letters(queue, options.limit):
            print(
                f"  {letter.failed_at or '-'}  {letter.id}  {letter.type or '-'}  after {letter.attempts} attempts"
                f"  {letter.cause}: {letter.reason}"
            )
    if not queues:
        print("There are no dead letters.")
    return 0


def _show(letters: DeadLetters, options: argparse.Namespace) -> int:
    found = [letter for letter in letters.letters(options.queue) if letter.id == options.id]
    for letter in found:
        for name, value in sorted(letter.headers.items()):
            print(f"{name}: {value}")
        print(letter.shown())
    return _report("shown", [letter.id for letter in found])


def _replay(letters: DeadLetters, options: argparse.Namespace) -> int:
    return _report("replayed", letters.replay(options.queue, _wanted(options)))


def _discard(letters: DeadLetters, options: argparse.Namespace) -> int:
    return _report("discarded", letters.discard(options.queue, _wanted(options), options.reason))


def _report(done: str, ids: list[str]) -> int:
    print(f"{done}: {len(ids)}")
    return 0 if ids else 1


def _wanted(options: argparse.Namespace) -> Callable[[DeadLetter], bool]:
    return lambda letter: options.all or letter.id in options.ids


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Look after messages that could not be handled.")
    commands = parser.add_subparsers(required=True)
    listing = commands.add_parser("list", help="what lies where, and why")
    listing.add_argument("queue", nargs="?")
    listing.add_argument("--limit", type=int, default=20, help="messages a queue (20)")
    listing.set_defaults(run=_list)
    showing = commands.add_parser("show", help="one message; personal data stays sealed or masked")
    showing.add_argument("queue")
    showing.add_argument("id")
    showing.set_defaults(run=_show)
    replaying = commands.add_parser("replay", help="back to the queues they came from")
    discarding = commands.add_parser("discard", help="away for good; the reason is logged")
    for command, run in ((replaying, _replay), (discarding, _discard)):
        command.add_argument("queue")
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true")
        which.add_argument("--id", dest="ids", action="append", default=[])
        command.set_defaults(run=run)
    discarding.add_argument("--reason", required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
