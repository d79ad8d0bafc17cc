"""Two months of a city's past are played, and the system that then starts in the present is whole and alive."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.history.playing import Extent, play
from deploy.history.state import is_played
from deploy.invariants import System, check
from deploy.local import stack, web
from deploy.local.captcha_solver import use_secret_of
from deploy.local.client import ApiClient, wait_until
from deploy.local.environment import ROOT, write_state
from deploy.local.ports import hold_port
from deploy.local.stack import Stack, StackError
from services.contracts.values import SHANGHAI
from services.membership.seed import demo_password
from tests.debian_packages import need_packages

pytestmark = [
    pytest.mark.deploy("plays months of the past on a stack of its own, whose database goes by another clock"),
    pytest.mark.timeout(1200),
]

_FOLDER = ROOT / ".local" / "history"
_SETTLE = 120.0


@pytest.fixture(scope="module")
def city() -> Iterator[Stack]:
    need_packages("libfaketime")
    web.build()  # without pages the gateway is not ready
    stack.reset(_FOLDER)
    # The preferred port may be that of another stack on this machine.
    write_state(_FOLDER, {"ports": {"gateway": hold_port()}})
    try:
        play(_FOLDER, print, Extent(months=2, districts=1))
        running = stack.start(_FOLDER)
        use_secret_of(_FOLDER)
        yield running
    finally:
        stack.reset(_FOLDER)


@pytest.fixture(scope="module")
def chief(city: Stack) -> ApiClient:
    return ApiClient(city.gateway_url).sign_in("city", demo_password())


@pytest.fixture(scope="module")
def batches(chief: ApiClient) -> list[dict[str, Any]]:
    return chief.all_pages("batches", with_subordinates=True)


def test_all_invariants_hold(city: Stack) -> None:
    assert is_played(_FOLDER)
    assert [str(one) for one in check(System.of_stack(city), settle_seconds=_SETTLE)] == []


def test_batches_of_several_months_are_in_every_state(batches: list[dict[str, Any]]) -> None:
    assert {"submitted", "partly_decided", "decided", "revoked"} <= {batch["state"] for batch in batches}
    assert len({batch["submitted_at"][:7] for batch in batches}) >= 2
    assert sum(batch["issued"] for batch in batches) > 50
    assert sum(batch["refused"] for batch in batches) > 0


def test_nothing_was_done_in_the_future(batches: list[dict[str, Any]], chief: ApiClient) -> None:
    now = datetime.now(UTC)

    assert all(datetime.fromisoformat(batch["submitted_at"]) <= now for batch in batches)
    assert datetime.fromisoformat(chief.get("audit")["items"][0]["at"]) <= now


def test_requests_for_revocation_were_decided_and_one_is_overdue(chief: ApiClient) -> None:
    requests = chief.all_pages("revocations")

    assert "approved" in {request["state"] for request in requests}
    assert [request["overdue"] for request in requests if request["state"] == "requested"] == [True]


def test_a_transfer_waits_for_its_answer(chief: ApiClient) -> None:
    assert "requested" in {transfer["state"] for transfer in chief.all_pages("transfers")}


def test_reports_show_the_months_and_why_the_bank_refused(chief: ApiClient) -> None:
    this_month = f"{datetime.now(SHANGHAI):%Y-%m}"
    report = chief.get("reports", first_month=f"{int(this_month[:4]) - 1}{this_month[4:]}", last_month=this_month)

    assert sum(month["figures"]["issued"] > 0 for month in report["months"]) >= 2
    assert report["current"]["revoked"] > 0
    assert len(report["refused_by_reason"]) > 1


def test_the_clerk_has_messages_of_many_days_and_a_batch_that_is_overdue(
    city: Stack, batches: list[dict[str, Any]]
) -> None:
    clerk = ApiClient(city.gateway_url).sign_in("jianlang", demo_password())
    messages = clerk.all_pages("messages")

    assert len({message["created_at"][:10] for message in messages}) > 5
    assert "work_overdue" in {message["kind"] for message in messages}
    assert any("bank_silent" in batch["overdue"] for batch in batches)


def test_a_batch_goes_on_in_the_present(city: Stack, chief: ApiClient, batches: list[dict[str, Any]]) -> None:
    """An operator sends it again to the bank, which began anew with the present."""
    silent = next(batch["batch_no"] for batch in batches if "bank_silent" in batch["overdue"])
    operator = ApiClient(city.gateway_url).sign_in("ops", demo_password())

    operator.post(f"operations/batches/{silent}/resend", {"what": "batch", "reason": "银行未收到"})

    wait_until(lambda: chief.get(f"batches/{silent}")["state"] == "decided", "the bank has decided")


def test_it_is_played_only_once(city: Stack) -> None:
    assert city
    with pytest.raises(StackError, match="make reset"):
        play(_FOLDER, print)
