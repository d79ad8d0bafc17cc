"""Rules, runbooks, dashboards and the commands that they name belong together."""

import importlib.util
import itertools
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.alert_rules import (
    RUNBOOKS,
    alerts,
    dashboards,
    panels,
    rule_tests,
    rules,
    runbook,
    runbook_expressions,
    unknown_metrics,
)
from tests.databases import ROOT

NAMES = sorted({alert["alert"] for alert in alerts()})
PARTS = ["Means.", "Who notices.", "Look.", "Do.", "Over when"]
_LOG_EVENTS = re.compile(r"(?:log events?|lines?) ((?:`\w+`(?:, | and )?)+)")


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == set(NAMES)


def test_the_list_of_runbooks_names_each_alert_once_with_its_severities() -> None:
    listed = re.findall(r"^- \[(\w+)\]\((\w+)\.md\) \(([\w ]+)\): ", runbook("README"), re.MULTILINE)
    severities = {
        name: {rule["labels"]["severity"] for rule in alerts() if rule["alert"] == name} - {"none"} for name in NAMES
    }
    assert len(listed) == len(NAMES)
    assert all(name == page for name, page, _ in listed)
    assert {name: set(said.split(" and ")) - {"always fires"} for name, _, said in listed} == severities


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: f"{alert['alert']} {alert['labels']['severity']}")
def test_an_alert_says_how_urgent_it_is_what_happened_and_where_to_read_on(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in ("page", "ticket", "none")
    assert alert["annotations"].keys() == {"summary", "notice", "description", "runbook"}
    assert re.fullmatch(r"[\u4e00-\u9fff][\u4e00-\u9fff，；（）a-zA-Z0-9 ]{5,40}。", alert["annotations"]["notice"])
    assert (ROOT / alert["annotations"]["runbook"]) == RUNBOOKS / f"{alert['alert']}.md"
    assert len(alert["annotations"]["description"].split()) > 5


@pytest.mark.parametrize("name", NAMES)
def test_promtool_tests_that_an_alert_fires(name: str) -> None:
    fires = rf'alertname="{name}", alertstate="firing"|alertname: {name}\n\s+exp_alerts:\n|alertname=~"[\w|]*\b{name}\b'
    assert re.search(fires, rule_tests())


def test_rules_are_made_of_metrics_that_exist() -> None:
    unknown = {rule.get("alert") or rule.get("record"): unknown_metrics(rule["expr"]) for rule in rules()}
    assert {name: metrics for name, metrics in unknown.items() if metrics} == {}


def test_a_metric_that_does_not_exist_is_noticed() -> None:
    expression = 'max by (queue) (rate(outbox_publisht_total{queue="a"}[5m])) > 5 and on () up == 1'
    assert unknown_metrics(expression) == {"outbox_publisht_total"}


def test_panels_are_made_of_metrics_that_exist() -> None:
    unknown = {panel.title: set().union(*map(unknown_metrics, panel.expressions)) for panel in panels()}
    assert {title: metrics for title, metrics in unknown.items() if metrics} == {}


def test_dashboards_take_any_prometheus_and_their_panels_do_not_overlap() -> None:
    found = dashboards()
    assert len({one["uid"] for one in found.values()}) == len(found)
    for one in found.values():
        assert [variable["type"] for variable in one["templating"]["list"]] == ["datasource"]
        sources = [target["datasource"]["uid"] for panel in one["panels"] for target in panel.get("targets", ())]
        assert set(sources) == {"${datasource}"}
        assert len({panel["id"] for panel in one["panels"]}) == len(one["panels"])
        cells = [cell for panel in one["panels"] for cell in _cells(panel["gridPos"])]
        assert len(set(cells)) == len(cells)
        assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_has_its_parts_on_half_a_page(name: str) -> None:
    text = runbook(name)
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^\*\*([\w ]+\.?)\*\*", text, re.MULTILINE) == PARTS
    assert len(text.splitlines()) <= 45


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_names_metrics_commands_log_events_and_pages_that_exist(name: str) -> None:
    text = runbook(name)
    assert set().union(*map(unknown_metrics, runbook_expressions(text))) == set()
    assert set(re.findall(r"make ([a-z-]+)", text)) - _make_targets() == set()
    assert [module for module in _modules(text) if importlib.util.find_spec(module) is None] == []
    assert {event for event in _log_events(text) if f'"{event}"' not in _sources()} == set()
    links = re.findall(r"\]\(([\w./-]+\.md)(?:#([\w-]+))?\)", text)
    assert [link for link in links if not _leads_somewhere(*link)] == []


def test_the_runbooks_readme_names_commands_that_exist() -> None:
    text = runbook("README")
    assert set(re.findall(r"make ([a-z-]+)", text)) - _make_targets() == set()
    assert [module for module in _modules(text) if importlib.util.find_spec(module) is None] == []


def _cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    return itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))


def _leads_somewhere(page: str, heading: str) -> bool:
    path = RUNBOOKS / page
    if not path.is_file():
        return False
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return not heading or heading in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


@cache
def _make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def _modules(text: str) -> list[str]:
    return re.findall(r"python -m ([\w.]+)", text)


def _log_events(text: str) -> set[str]:
    return {event for found in _LOG_EVENTS.findall(text) for event in re.findall(r"`(\w+)`", found)}


@cache
def _sources() -> str:
    return "".join(
        path.read_text("utf-8") for folder in ("services", "gateway") for path in (ROOT / folder).rglob("*.py")
    )
