"""Work that waits too long, with a moved clock and two processes of each service: reminders once, then escalation."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deploy.local.client import ApiClient, wait_until
from deploy.local.environment import SERVICES
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack, change_settings
from services.contracts.rules.working_days import due_on
from tests.desks import Desk, a_desk, a_phone, people
from tests.e2e.two_process_stack import start_two_process_stack
from tests.phones import messages_to

pytestmark = [
    pytest.mark.long("moves the clock of a stack of its own, with two processes of each service"),
    pytest.mark.timeout(1200),
]

_SHANGHAI = ZoneInfo("Asia/Shanghai")
_LIMIT, _SECOND_LIMIT = 2, 3
"""Of unchecked entries, in working days; and after how many more the next superior is told."""
_TICKS = 300


@pytest.fixture(scope="module")
def stack_of_its_own(nodes: Nodes) -> Iterator[Stack]:
    with start_two_process_stack(nodes, "overdue") as running:
        yield running


def test_overdue_work_is_told_once_a_day_to_who_can_act_and_then_to_the_next_superior(stack_of_its_own: Stack) -> None:
    stack = stack_of_its_own
    desk = a_desk(stack.gateway_url)
    phone = _phone_of_another_clerk(desk)
    desk.register(*people(2))
    desk.queue_all()
    began = datetime.now(_SHANGHAI).date()
    assert desk.clerk.get("pending", overdue=True)["total"] == 0

    _move_to(stack, due_on(due_on(began, _LIMIT), 1))

    assert desk.clerk.get("pending", overdue=True)["total"] == 2
    assert desk.office.reviewer.get("pending", union_id=desk.union_id, overdue=True)["total"] == 2
    wait_until(lambda: _reminders(desk.clerk), "the clerk is reminded", _TICKS)
    assert _reminders(desk.office.reviewer) == []

    _move_to(stack, due_on(due_on(began, _LIMIT + _SECOND_LIMIT), 1))

    [escalated] = wait_until(lambda: _reminders(desk.office.reviewer), "the next superior is told", _TICKS)
    assert (escalated["kind"], "下级 1 个工会" in escalated["body"]) == ("work_overdue_below", True)
    wait_until(lambda: len(_reminders(desk.clerk)) == 2, "the clerk is reminded on the second day too", _TICKS)
    assert {one["kind"] for one in _reminders(desk.clerk)} == {"work_overdue"}
    wait_until(lambda: len(_sms(stack, phone)) >= 2, "both reminders come by SMS")
    assert ["2位待办会员未校验" in text for text in _sms(stack, phone)] == [True, True]

    desk.check_all()
    assert desk.clerk.get("pending", overdue=True)["total"] == 0


def _move_to(stack: Stack, day: date) -> None:
    """Moves the clock of deadlines to ten o'clock of this day, which restarts the services."""
    ahead = datetime.combine(day, time(10), _SHANGHAI) - datetime.now(UTC)
    change_settings(stack.folder, {"CLOCK_AHEAD_SECONDS": str(int(ahead.total_seconds()))}, SERVICES)


def _reminders(client: ApiClient) -> list[dict[str, Any]]:
    return [one for one in client.all_pages("messages") if one["kind"].startswith("work_overdue")]


def _sms(stack: Stack, phone: str) -> list[str]:
    return [text for text in messages_to(stack, phone) if "超期" in text]


def _phone_of_another_clerk(desk: Desk) -> str:
    """Returns the telephone of a second clerk of the union."""
    phone = a_phone()
    given = {"account_name": f"second{desk.number}", "display_name": "李娜", "roles": ["clerk"], "phone": phone}
    desk.office.administrator.post(f"unions/{desk.union_id}/accounts", given)
    return phone
