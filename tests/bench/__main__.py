"""Measures the product against floors and peers, prints the tables and writes docs/benchmarks.md.

`python -m tests.bench [--only pages feedback] [--quick] [--members 1000000] [--keep]`; other sections stay.
"""

import argparse
import re
import subprocess
import sys
import time
import traceback

import psycopg

from deploy.local.nodes import Nodes
from tests.bench import (
    acts,
    chain,
    disk,
    enrolments,
    feedback,
    gateway,
    idle,
    imports,
    pages,
    reports,
    scaling,
    starting,
    transport,
    work,
)
from tests.bench.environment import Options, plain_url, running_nodes, set_secrets
from tests.bench.report import DOCUMENT, document, failure, made_with, section, sections_of, table

PARTS = {
    "chain": chain,
    "feedback": feedback,
    "enrolments": enrolments,
    "acts": acts,
    "scaling": scaling,
    "gateway": gateway,
    "imports": imports,
    "starting": starting,
    "idle": idle,
    "pages": pages,
    "reports": reports,
    "transport": transport,
    "work": work,
    "disk": disk,
}


def main() -> int:
    """Measures the parts that the arguments name; returns 1 if a part failed."""
    parser = argparse.ArgumentParser(description="Measure the product against floors and peers.")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="some parts instead of all")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works; says nothing")
    parser.add_argument("--members", type=int, default=Options.members, help="how many the largest list of pages has")
    parser.add_argument("--keep", action="store_true", help="leave the nodes' data, and find that of the run before")
    given = parser.parse_args()
    options = Options(given.quick, given.members, given.keep)
    secrets = set_secrets(options.keep)
    failed = 0
    with running_nodes(options.keep) as on:
        machine = made_with(_database_version(on), _broker_version())
        for name in given.only:
            failed += not _measure(name, on, secrets, options, machine)
    return 1 if failed else 0


def _measure(name: str, on: Nodes, secrets: dict[str, str], options: Options, machine: str) -> bool:
    """Measures one part and writes its section; returns whether that succeeded."""
    print(f"{name}: measuring", flush=True)
    part = PARTS[name]
    sections = sections_of(DOCUMENT.read_text()) if DOCUMENT.exists() else {}
    began = time.monotonic()
    try:
        report = part.measure(on, secrets, options)
    except Exception as error:
        traceback.print_exc()
        sections[part.TITLE] = failure(error, sections.get(part.TITLE))
    else:
        print(f"{table(report)}\n{report.how.strip()}\n{time.monotonic() - began:.0f} s\n", flush=True)
        sections[part.TITLE] = section(report, machine, time.monotonic() - began)
    if not options.quick:
        DOCUMENT.write_text(document(sections, [part.TITLE for part in PARTS.values()]))
    return not sections[part.TITLE].startswith("**")


def _database_version(on: Nodes) -> str:
    with psycopg.connect(plain_url(on.postgres.url())) as database:
        return str(database.info.parameter_status("server_version")).split()[0]


def _broker_version() -> str:
    listed = subprocess.run(["dpkg-query", "-W", "rabbitmq-server"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+(\.\d+)+", listed)
    return found.group() if found else "of unknown version"


if __name__ == "__main__":
    sys.exit(main())
