"""Fills five empty, migrated databases: `python -m deploy.growth fill --members 10000000 --months 12`; `… sizes`.

It reads DATABASE_URL_<SERVICE>, as the owners of the tables, and the keys of membership. Not in production.
"""

import argparse
import logging
import sys
import time
from collections.abc import Mapping

import structlog

from deploy.growth.filling import NotEmpty, Size, fill, sizes
from deploy.growth.plans import HEAD, findings, put_clock_forward
from deploy.growth.sample import NotFilled
from deploy.permissions import SERVICES
from services.kit.settings import SettingsError, database_address, refuse_production


def main() -> int:
    """Fills the databases or prints the sizes of their tables; returns the exit status."""
    refuse_production("deploy.growth")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    filling = commands.add_parser("fill", help="add members with their applications, batches, checks, messages, events")
    filling.add_argument("--members", type=int, default=10_000_000)
    filling.add_argument("--unions", type=int, default=5000)
    filling.add_argument("--months", type=int, default=12)
    filling.add_argument("--audit-events", type=int, help="two for each member unless it is given")
    commands.add_parser("sizes", help="print the size and the rows of each table, the largest first")
    planning = commands.add_parser(
        "plans", help="print how each page and each timer reads the tables, and what is slow"
    )
    planning.add_argument("--only", default="", metavar="WORDS", help="questions with these words, with each statement")
    arguments = parser.parse_args()
    try:
        urls = {service: _address(service) for service in SERVICES}
        if arguments.command == "sizes":
            for line in sizes(urls):
                print(line)
            return 0
        if arguments.command == "plans":
            return _print_plans(urls, arguments.only)
        events = arguments.audit_events if arguments.audit_events is not None else 2 * arguments.members
        started = time.monotonic()
        fill(urls, Size(arguments.members, arguments.unions, arguments.months, events), _say)
        _say(f"done in {time.monotonic() - started:.0f} s")
    except (SettingsError, NotEmpty, NotFilled) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _print_plans(urls: Mapping[str, str], words: str) -> int:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    put_clock_forward()
    _say(HEAD)
    found = []
    for one in findings(urls, words):
        _say(one.row())
        found.append(one)
    for one in found:
        for complaint in one.complaints:
            _say(f"{'WRONG' if one.is_wrong else 'allowed'}: {one.question.title}: {complaint}")
        for explained in one.explained if words else ():
            _say(f"\n{explained.warm_ms:,.1f} ms, {one.question.title}:\n{explained.statement}")
    return 1 if any(one.is_wrong for one in found) else 0


def _address(service: str) -> str:
    variable = f"DATABASE_URL_{service.upper()}"
    address = database_address(variable)
    if not address:
        raise SettingsError(f"{variable} is not set")
    return str(address)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
