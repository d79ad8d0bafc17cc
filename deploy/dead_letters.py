"""The operator's tool for dead letters: `python -m deploy.dead_letters list|show|replay|discard`."""

import argparse
import getpass
import sys
from collections.abc import Callable
from itertools import islice

import amqp

from services.contracts.services import SERVICES
from services.kit.amqp.broker_users import BrokerUsers
from services.kit.amqp.original_publisher import can_prove
from services.kit.amqp.queues import owner_of
from services.kit.broker_hosts import InvalidAddress
from services.kit.dead_letters.letters import BrokerAway, DeadLetter, DeadLetters, InUse, oldest_first
from services.kit.events.topology import dead_queues
from services.kit.operations.logs import configure_logs
from services.kit.settings import is_production, run_program, value_of, values_of


def main(arguments: list[str] | None = None) -> int:
    """Runs the command on the broker of AMQP_URI; returns the exit status."""
    options = _parser().parse_args(arguments)
    amqp_uri = values_of("AMQP_URI")["AMQP_URI"]
    configure_logs("dead_letters")
    try:
        return int(options.run(DeadLetters(amqp_uri), options))
    except InUse:
        print("somebody else has read these dead letters for a minute: try again", file=sys.stderr)
        return 1
    except BrokerAway as away:
        print(f"the broker cannot be reached, try again: {away.__cause__}", file=sys.stderr)
        return 1
    except amqp.AccessRefused as error:
        whose = f"must be that of {owner_of(options.queue)}" if options.queue else "must be that of a service"
        print(f"AMQP_URI {whose}: {error.reply_text}", file=sys.stderr)
        return 1
    except InvalidAddress as error:
        print(f"AMQP_URI {error}", file=sys.stderr)
        return 2
    except LookupError as error:
        print(error, file=sys.stderr)
        return 1


def _list(letters: DeadLetters, options: argparse.Namespace) -> int:
    found = letters.read_all(options.queue) if options.queue else letters.iterate(dead_queues(_whose()))
    in_order = sorted((letter.summary() for letter in found), key=lambda summary: oldest_first(vars(summary)))
    first = (options.page - 1) * (options.size or 0)
    shown = list(islice(in_order, first, first + options.size if options.size else None))
    for letter in shown:
        persons = "" if letter.persons is None else f"，{letter.persons} 人"
        union = letter.union_name or letter.union_code or letter.union_id or "工会未知"
        batch = f"，批次 {letter.batch_no}" if letter.batch_no else ""
        print(f"{letter.failed_at or '-'}  {letter.queue}  {letter.id}")
        print(f"  {letter.subject}：{union}{batch}{persons}。{letter.explanation}")
        print(f"  {letter.cause}: {letter.reason}  after {letter.attempts} attempts, {letter.replays} replays")
    if not in_order:
        print("There are no dead letters.")
    elif len(shown) < len(in_order):
        print(f"{first + 1} to {first + len(shown)} of {len(in_order)}, the oldest failure first")
    return 0


def _show(letters: DeadLetters, options: argparse.Namespace) -> int:
    found = [letter for letter in letters.read_all(options.queue) if letter.id == options.id]
    for letter in found:
        summary = letter.summary()
        print(f"{summary.subject}：{summary.explanation}")
        for replay in letter.replays:
            print(
                f"replay {replay.number} at {replay.replayed_at} by {replay.replayed_by}, after {replay.attempts}"
                f" attempts: {replay.cause}: {replay.reason}"
            )
        for name, value in sorted(letter.headers.items()):
            print(f"{name}: {value}")
        print(letter.display_text())
    return _report("shown", [letter.id for letter in found])


def _replay(letters: DeadLetters, options: argparse.Namespace) -> int:
    """Replays as the service's own user with its key: consumers trust only these to state who published a message."""
    owner = owner_of(options.queue)
    is_shared = BrokerUsers.of(value_of("AMQP_URI"), owner).is_shared
    if is_production() and is_shared:
        print(f"AMQP_URI must be that of {owner}, who alone may put its messages back", file=sys.stderr)
        return 2
    if not is_shared and not can_prove(options.queue):
        print(f"BLIND_INDEX_KEY must be that of {owner}: with it is proved who had published them", file=sys.stderr)
        return 2
    return _report("replayed", letters.replay(options.queue, _chosen(options), options.by))


def _discard(letters: DeadLetters, options: argparse.Namespace) -> int:
    discarded = letters.discard(options.queue, _chosen(options), options.reason)
    return _report("discarded", [letter.id for letter in discarded])


def _report(done: str, ids: list[str]) -> int:
    print(f"{done}: {len(ids)}")
    return 0 if ids else 1


def _chosen(options: argparse.Namespace) -> Callable[[DeadLetter], bool]:
    return lambda letter: options.all or letter.id in options.ids


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Look after messages that could not be handled.")
    commands = parser.add_subparsers(required=True)
    listing = commands.add_parser("list", help="all dead letters with their causes, the oldest failure first")
    listing.add_argument("queue", nargs="?")
    listing.add_argument("--size", type=_positive, help="letters a page (all on one)")
    listing.add_argument("--page", type=_positive, default=1, help="which page of that size (1)")
    listing.set_defaults(run=_list)
    showing = commands.add_parser("show", help="one message and its history; personal data stay encrypted or masked")
    showing.add_argument("queue")
    showing.add_argument("id")
    showing.set_defaults(run=_show)
    replaying = commands.add_parser("replay", help="send them back to the queues they came from")
    discarding = commands.add_parser("discard", help="delete them permanently; the reason is logged")
    for command, run in ((replaying, _replay), (discarding, _discard)):
        command.add_argument("queue")
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true")
        which.add_argument("--id", dest="ids", action="append", default=[])
        command.set_defaults(run=run)
    replaying.add_argument("--by", default=_who(), help="who replays, for the message's history (who is logged in)")
    discarding.add_argument("--reason", required=True)
    return parser


def _whose() -> str | None:
    """Returns the service whose user AMQP_URI names; None for the administrator."""
    return next((one for one in SERVICES if not BrokerUsers.of(value_of("AMQP_URI"), one).is_shared), None)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _who() -> str:
    """Returns the name of the operating system's user, which a container may lack."""
    try:
        return f"{getpass.getuser()}, on the command line"
    except (KeyError, OSError):
        return "the command line"


if __name__ == "__main__":
    run_program(main)
