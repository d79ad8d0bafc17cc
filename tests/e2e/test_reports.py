"""Reports over HTTP: what a clerk does is counted for the union and all above it.

Reports are rebuilt under load by test_operated.py.
"""

from io import BytesIO
from typing import Any

import pytest
from openpyxl import load_workbook

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from tests.browser.bank import answer_batch
from tests.desks import Desk, a_desk, people


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Desk:
    """A clerk, two of whose three members have a card; the bank refused the third."""
    desk = a_desk(stack.gateway_url)
    desk.register(*people(3))
    batch_no = desk.submit_all()
    answer_batch(stack, batch_no, {"outcome": "issued", "count": 2})
    answer_batch(stack, batch_no, {"outcome": "refused", "count": 1})
    return desk


def _figures(client: ApiClient, **asked: Any) -> dict[str, Any]:
    figures: dict[str, Any] = client.get("reports", **asked)["current"]
    return figures


def _is_counted(desk: Desk) -> bool:
    figures = _figures(desk.clerk)
    return (figures["issued"], figures["refused"], figures["waiting_bank"]) == (2, 1, 0)


def test_what_a_clerk_does_is_counted_for_the_union_and_for_those_above_it(desk: Desk) -> None:
    wait_until(lambda: _is_counted(desk), "the bank's results are counted")
    figures = _figures(desk.clerk)
    assert {name: figures[name] for name in ("members", "queued", "passed", "submitted")} == {
        "members": 3,
        "queued": 3,
        "passed": 3,
        "submitted": 3,
    }
    above = desk.office.reviewer.get("reports", size=200)
    [row] = [one for one in above["items"] if one["union_id"] == desk.union_id]
    assert row["current"] == figures
    assert above["current"]["issued"] >= 2
    below = desk.office.reviewer.get("reports", union_id=desk.union_id)
    assert [one["union_id"] for one in below["above"]] == [desk.office.union["union_id"]]


def test_a_clerk_has_no_report_of_another_union(desk: Desk) -> None:
    with pytest.raises(ApiProblem) as refused:
        desk.clerk.get("reports", union_id=desk.office.union["union_id"])
    assert refused.value.problem["code"] == "not_found"


def test_a_report_is_exported_by_who_may_see_it(desk: Desk) -> None:
    wait_until(lambda: _is_counted(desk), "the bank's results are counted")
    book = load_workbook(BytesIO(desk.clerk.download("reports/report.xlsx")))
    totals = {row[0]: row[1] for row in book["合计"].iter_rows(values_only=True)}
    assert totals["办卡成功"] == 2
    assert desk.clerk.download("reports/report.pdf").startswith(b"%PDF")
