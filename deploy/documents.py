"""Generates the documents that follow from the code: `--write` writes them, `--check` lists outdated ones."""

import argparse
import sys
from pathlib import Path

from deploy import (
    chart_schema,
    databases_document,
    events_document,
    metrics_document,
    permissions,
    retention_document,
    settings_document,
)
from deploy.capacity import document as capacity_document
from gateway import openapi, policy_document

DOCS = Path(__file__).parents[1] / "docs"


def documents() -> dict[str, str]:
    """Returns each document's text by its path in `docs`."""
    return {
        "api/openapi.json": openapi.text(),
        "policy.md": policy_document.text(),
        "broker-permissions.md": permissions.text(),
        "settings.md": settings_document.text(),
        "metrics.md": metrics_document.text(),
        "operations/retention.md": retention_document.text(),
        "operations/capacity.md": capacity_document.text(),
        "../deploy/chart/values.schema.json": chart_schema.text(),
        **{f"databases/{name}": text for name, text in databases_document.texts().items()},
        **{f"events/{name}": text for name, text in events_document.texts().items()},
    }


def main() -> int:
    """Writes or checks all documents; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true")
    mode.add_argument("--check", action="store_true")
    if parser.parse_args().write:
        _write()
        return 0
    stale = [name for name, text in documents().items() if _committed(name) != text]
    for name in stale:
        print(f"docs/{name} is not what the code says; run: make docs", file=sys.stderr)
    return 1 if stale else 0


def _write() -> None:
    for name, text in documents().items():
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(text, "utf-8")


def _committed(name: str) -> str | None:
    path = DOCS / name
    return path.read_text("utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
