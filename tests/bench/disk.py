"""The disk that a city's data take after a year, for docs/operations/capacity.md, by the number of members."""

import time
from contextlib import ExitStack

from deploy.capacity import measured
from deploy.growth.filling import Size, bytes_of, fill
from deploy.local.environment import SERVICES
from deploy.local.nodes import Nodes
from tests.bench.environment import Options, fresh_database, plain_url
from tests.bench.report import Report, Row

TITLE = "Disk"
SIZES = (10_000, 100_000, 1_000_000)
MONTHS = 12
_MEMBERS_OF_A_UNION = 500


def measure(on: Nodes, _secrets: dict[str, str], options: Options) -> Report:
    """Fills five databases for each number of members up to `--members`, and adds up their tables and indexes."""
    sizes = [100, 1000] if options.quick else [size for size in SIZES if size <= options.members]
    disk = {members: _filled(on, members) for members in sizes}
    if not options.quick:
        measured.keep_disk({members: found for members, (found, _) in disk.items()})
    least = sum(disk[sizes[0]][0].values()) / sizes[0]
    rows = [_row(members, found, seconds, least) for members, (found, seconds) in disk.items()]
    shares = "".join(
        f"- {members:,} members: {', '.join(f'{name} {size / 1e6:,.1f}' for name, size in found.items())}.\n"
        for members, (found, _) in disk.items()
    )
    return Report("disk", TITLE, rows, _HOW.format(months=MONTHS, each=_MEMBERS_OF_A_UNION, shares=shares))


def _filled(on: Nodes, members: int) -> tuple[dict[str, int], float]:
    """The bytes of each service's database, and the seconds that filling took."""
    began = time.monotonic()
    with ExitStack() as after:
        urls = {service: plain_url(after.enter_context(fresh_database(on, service))) for service in SERVICES}
        size = Size(members, max(1, members // _MEMBERS_OF_A_UNION), MONTHS, 2 * members)
        fill(urls, size, lambda _: None)
        return {service: bytes_of(url) for service, url in urls.items()}, time.monotonic() - began


def _row(members: int, found: dict[str, int], seconds: float, least: float) -> Row:
    total = sum(found.values())
    each = total / members
    return Row(
        f"A year of {members:,} members, filled in {seconds:.0f} s",
        f"a member of the fewest: {least / 1000:.1f} kB",
        f"{total / 1e9:,.2f} GB, {each / 1000:.1f} kB a member",
        f"{each / least:.2f} times",
        "–",
        None,
    )


_HOW = """
`deploy.growth` fills five empty databases with members of unions of {each}, and {months} months of their applications,
batches, checks, messages, SMS, reports and audit log, two entries a member. Counted are tables with their indexes,
freshly built; the logs that PostgreSQL keeps come on top. By service, in MB:

{shares}"""
