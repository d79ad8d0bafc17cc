"""Measures the product against floors and peers, prints the table and writes docs/benchmarks.md.

`python -m tests.bench [--only chain|feedback|pages] [--quick]`; the document is written by a whole run only.
"""

import argparse
import re
import subprocess
import time

import psycopg

from deploy.local.nodes import Nodes
from tests.bench import chain, feedback, pages
from tests.bench.report import DOCUMENT, document, table
from tests.bench.surroundings import plain_url, running_nodes, set_secrets

PARTS = {"chain": chain.measure, "feedback": feedback.measure, "pages": pages.measure}


def main() -> None:
    """Measures what the arguments name."""
    parser = argparse.ArgumentParser(description="Measure the product against floors and peers.")
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works; says nothing")
    asked = parser.parse_args()
    began = time.monotonic()
    secrets = set_secrets()
    reports = []
    with running_nodes() as on:
        for name in [asked.only] if asked.only else PARTS:
            print(f"{name}: measuring", flush=True)
            reports.append(PARTS[name](on, secrets, asked.quick))
            print(f"{table(reports[-1:])}\n{reports[-1].how.strip()}\n", flush=True)
        versions = _database_version(on), _broker_version()
    if not asked.only and not asked.quick:
        DOCUMENT.write_text(document(reports, *versions, (time.monotonic() - began) / 60))
        print(f"{time.monotonic() - began:.0f} s; written: docs/{DOCUMENT.name}")


def _database_version(on: Nodes) -> str:
    with psycopg.connect(plain_url(on.postgres.url())) as database:
        return str(database.info.parameter_status("server_version")).split()[0]


def _broker_version() -> str:
    listed = subprocess.run(["dpkg-query", "-W", "rabbitmq-server"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+(\.\d+)+", listed)
    return found.group() if found else "of unknown version"


if __name__ == "__main__":
    main()
