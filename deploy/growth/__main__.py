"""Fills five empty, migrated databases: `python -m deploy.growth fill --members 10000000 --months 12`; `… sizes`.

It reads DATABASE_URL_<SERVICE>, as the owners of the tables, and the keys of membership. Not in production.
"""

import argparse
import sys
import time

from deploy.growth.filling import NotEmpty, Size, fill, sizes
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
    arguments = parser.parse_args()
    try:
        urls = {service: _address(service) for service in SERVICES}
        if arguments.command == "sizes":
            for line in sizes(urls):
                print(line)
            return 0
        events = arguments.audit_events if arguments.audit_events is not None else 2 * arguments.members
        started = time.monotonic()
        fill(urls, Size(arguments.members, arguments.unions, arguments.months, events), _say)
        _say(f"done in {time.monotonic() - started:.0f} s")
    except (SettingsError, NotEmpty) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


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
