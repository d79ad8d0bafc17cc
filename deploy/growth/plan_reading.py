"""What a plan reads and by which path, and what in it would be slow in a large table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from deploy.growth.explaining import Plan

MOST_ROWS = 100_000
"""Rows that one statement may read without an index, or read and throw away."""

_FEWEST_ROWS = 1000
"""A smaller table is read whole whatever indexes it has."""
_THROWN_AWAY = ("Rows Removed by Filter", "Rows Removed by Join Filter", "Rows Removed by Index Recheck")


@dataclass(frozen=True)
class Tables:
    """The rows of tables by name, and of which table or index a month's partition is."""

    rows: Mapping[str, int]
    parents: Mapping[str, str] = field(default_factory=dict)


def paths_of(plan: Plan, tables: Tables) -> Iterator[str]:
    """The paths to the tables in the order of the plan: indexes, `alone` where the table itself was not read.

    Tables that were read whole are named, too, unless they are small.
    """
    for node in _nodes(plan):
        if not node.get("Actual Loops"):
            continue
        name = _whole(node.get("Index Name", node.get("Relation Name", "")), tables)
        match node["Node Type"]:
            case "Seq Scan" if tables.rows.get(node["Relation Name"], 0) >= _FEWEST_ROWS:
                yield f"{name} whole"
            case "Index Only Scan":
                yield f"{name} alone"
            case "Index Scan" | "Bitmap Index Scan":
                yield name


def complaints_about(plan: Plan, tables: Tables) -> Iterator[str]:
    """Whole scans of large tables, and steps that throw away more than MOST_ROWS rows."""
    for node in _nodes(plan):
        loops = node.get("Actual Loops", 0)
        name = node.get("Relation Name", "")
        if node["Node Type"] == "Seq Scan" and loops and tables.rows.get(name, 0) > MOST_ROWS:
            yield f"reads all {tables.rows[name]:,} rows of {name}"
        thrown = sum(node.get(removed, 0) for removed in _THROWN_AWAY) * loops
        if thrown > MOST_ROWS:
            yield f"throws away {thrown:,.0f} rows{f' of {name}' if name else ''}"
        if node["Node Type"].endswith("Sort") and (cut := _rows_below(node) - _rows(node)) > MOST_ROWS:
            yield f"sorts {cut:,.0f} rows more than it returns"


def blocks_of(plan: Plan) -> int:
    """The blocks of 8 kB that a statement reads, from the cache or not, temporary files included."""
    return sum(plan.get(f"{kind} Blocks", 0) for kind in ("Shared Hit", "Shared Read", "Temp Read"))


def rows_of(plan: Plan) -> int:
    """The rows that a statement returns or changes."""
    is_change = plan["Node Type"] == "ModifyTable" and not plan.get("Actual Rows")
    return round(_rows_below(plan) if is_change else _rows(plan))


def _nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _rows(node: Plan) -> float:
    """A node's rows; PostgreSQL gives the average of its loops."""
    return float(node.get("Actual Rows", 0)) * node.get("Actual Loops", 0)


def _rows_below(node: Plan) -> float:
    return sum(_rows(below) for below in node.get("Plans", ()))


def _whole(name: str, tables: Tables) -> str:
    while name in tables.parents:
        name = tables.parents[name]
    return name
