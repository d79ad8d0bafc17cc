"""Generates docs/metrics.md, the list of all metrics, from the code that defines them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.environment import ROOT, source_files

_KINDS = ("Counter", "Gauge", "Histogram", "Info")
_SUFFIXES = {"Counter": "_total", "Info": "_info"}
_HEAD = """# Metrics

Made from the code by `make docs` (`deploy/metrics_document.py`); do not edit. Each program has them at `/metrics` of
its `HEALTH_PORT`, in Prometheus' form; a histogram has the series `_bucket`, `_sum` and `_count`. `services` are all
but the gateway. Python's own (`process_…`, `python_…`) come besides. [monitoring](operations/monitoring.md) says what
to watch.

| metric | of | type | labels | says |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class MetricDefinition:
    """A metric as the code defines it; `name` is that of its series."""

    name: str
    program: str
    kind: str
    labels: tuple[str, ...]
    says: str


def text() -> str:
    """Returns the document: one row for each metric, common ones first."""
    by_program = sorted(definitions(), key=lambda one: (one.program != "all", one.program, one.name))
    return _HEAD + "".join(map(_row, by_program))


def definitions() -> Iterator[MetricDefinition]:
    """Returns all metrics of services and gateway."""
    for folder in ("services", "gateway"):
        for path in source_files(ROOT / folder):
            if path.suffix == ".py":
                yield from _definitions_in(ast.parse(path.read_text("utf-8")), _program(path))


def _row(one: MetricDefinition) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels)
    return f"| `{one.name}` | {one.program} | {one.kind.lower()} | {labels} | {one.says} |\n"


def _definitions_in(tree: ast.AST, program: str) -> Iterator[MetricDefinition]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        kind = ast.unparse(node.func).rpartition(".")[2]
        name, says = node.args[:2]
        if (
            kind in _KINDS
            and isinstance(name, ast.Constant)
            and isinstance(name.value, str)
            and isinstance(says, ast.Constant)
        ):
            labels = ast.literal_eval(node.args[2]) if len(node.args) > 2 else ()
            yield MetricDefinition(
                str(name.value) + _SUFFIXES.get(kind, ""), program, kind, tuple(labels), str(says.value)
            )


def _program(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    if parts[0] == "gateway":
        return "gateway"
    if parts[1] != "kit":
        return parts[1]
    return "services" if parts[2] == "data" else "all"
