"""What the rules, dashboards and runbooks of monitoring contain, for the tests that hold them together."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.metrics_document import definitions
from deploy.monitoring.servers import CONFIGURATION
from tests.databases import ROOT

RUNBOOKS = ROOT / "docs" / "operations" / "runbooks"
_WORDS = {"and", "or", "unless", "bool", "on", "by"}
_NO_NAMES = re.compile(r'"[^"]*"|\{[^{}]*\}|\[[^\]]*\]|\b(?:by|on|ignoring|without)\s*\([^()]*\)')
_NAME = re.compile(r"(?<![\w.])[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])")
_OF_OTHERS = re.compile(r"up|ALERTS|process_\w+|prometheus_\w+")


@dataclass(frozen=True)
class Panel:
    """A panel of a dashboard; one that `may_be_empty` has data only when something is wrong."""

    dashboard: str
    title: str
    expressions: tuple[str, ...]
    may_be_empty: bool


def rules() -> list[dict[str, Any]]:
    """Returns all rules, recorded ones and alerts."""
    document = yaml.safe_load((CONFIGURATION / "alerts.yml").read_text("utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Returns the rules that are alerts; one name can have several."""
    return [rule for rule in rules() if "alert" in rule]


def runbook(alert: str) -> str:
    """Returns the text of an alert's page."""
    return (RUNBOOKS / f"{alert}.md").read_text("utf-8")


def runbook_expressions(text: str) -> list[str]:
    """Returns the expressions for Prometheus of a page, one a line."""
    return [line for block in re.findall(r"```promql\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def dashboards() -> dict[str, dict[str, Any]]:
    """Returns the dashboards by file name."""
    return {path.name: json.loads(path.read_text("utf-8")) for path in sorted(_files("dashboards/*.json"))}


def panels() -> Iterator[Panel]:
    """Returns the panels of all dashboards that show something."""
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                expressions = tuple(target["expr"] for target in panel["targets"])
                may_be_empty = "Empty as long as nothing is wrong." in panel.get("description", "")
                yield Panel(name, panel["title"], expressions, may_be_empty)


def rule_tests() -> str:
    """Returns the text of all of promtool's tests of the rules."""
    return "".join(path.read_text("utf-8") for path in _files("tests/*.yml"))


def unknown_metrics(expression: str) -> set[str]:
    """Returns the metrics in an expression that neither our programs, nor our rules, nor Prometheus itself have."""
    names = set(_NAME.findall(_NO_NAMES.sub(" ", expression))) - _WORDS
    return {name for name in names if not _OF_OTHERS.fullmatch(name)} - _known_series()


@cache
def _known_series() -> set[str]:
    known = {rule["record"] for rule in rules() if "record" in rule}
    for one in definitions():
        parts = ("_bucket", "_sum", "_count") if one.kind == "Histogram" else ("",)
        known |= {f"{one.name}{part}" for part in parts}
    return known


def _files(pattern: str) -> Iterator[Path]:
    return CONFIGURATION.glob(pattern)
