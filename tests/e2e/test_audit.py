"""The audit log over the API of a whole stack: searched by person, record and time, with an intact chain."""

import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.environment import ROOT
from deploy.local.stack import Stack
from services.membership.seed import demo_password
from tests.desks import Desk, a_desk, form_of, people

SEARCH = "按证件号码查询"
"""The audit event of a caller who learns that a number is registered, as by registering it again."""


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Desk:
    return a_desk(stack.gateway_url)


@pytest.fixture(scope="module")
def administrator(desk: Desk) -> ApiClient:
    """Of the union above the desk's."""
    return desk.office.administrator


def acts(reader: ApiClient, least: int = 1, **asked: Any) -> list[dict[str, Any]]:
    """The audit events found, once there are as many: they are stored asynchronously."""

    def found() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = reader.get("audit", **asked)["items"]
        return items if len(items) >= least else []

    return wait_until(found, f"{least} acts are found")


def test_audit_events_are_found_by_person_record_and_time(desk: Desk, administrator: ApiClient) -> None:
    clerk, (person,) = desk.clerk, people(1)
    form = form_of(person, name="审计人", phone="13800000000")
    member = clerk.post("members", form)
    clerk.patch(f"members/{member['member_id']}", {"phone": "13911112222"})
    with pytest.raises(ApiProblem):
        clerk.post("members", form)

    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat()
    by_record = acts(administrator, 3, record_kind="member", record_id=member["member_id"])
    on_member = acts(administrator, 3, document_number=form["document_number"], acted_from=today)
    by_record, on_member = ([one for one in found if one["label"] != SEARCH] for found in (by_record, on_member))
    assert [one["label"] for one in on_member] == ["修改会员信息", "登记会员"]
    changed = on_member[0]
    assert (changed["account_name"], changed["display_name"]) == (desk.account_name, "王芳")
    assert (changed["old"]["phone"], changed["new"]["phone"]) == ("138****0000", "139****2222")
    assert changed["origin"] == "127.0.0.1"

    registered: dict[str, Any] = {"action": "membership.register_member", "outcome": "refused"}
    (refused,) = acts(administrator, account_name=desk.account_name, acted_to=today, **registered)
    assert refused["problem_code"] == "member_exists"
    assert [one["act_id"] for one in by_record] == [one["act_id"] for one in on_member]
    assert administrator.get(f"audit/{changed['act_id']}")["position"] > 0
    assert form["document_number"] not in str(by_record)


def test_a_wrong_password_is_on_record_without_it(stack: Stack, desk: Desk, administrator: ApiClient) -> None:
    with pytest.raises(ApiProblem):
        ApiClient(stack.gateway_url).sign_in(desk.account_name, "not the password")
    account_id = desk.clerk.account["account_id"]
    of_the_account = {"record_kind": "account", "record_id": account_id}
    (failed,) = acts(administrator, action="membership.sign_in", outcome="refused", **of_the_account)
    assert failed["problem_code"] == "sign_in_failed"
    assert "not the password" not in str(failed)
    by_name = acts(administrator, account_name=desk.account_name, outcome="refused", action="membership.sign_in")
    assert [one["act_id"] for one in by_name] == [failed["act_id"]]


def test_tries_at_a_name_without_account_are_found_exported_and_saved_as_a_search(stack: Stack, desk: Desk) -> None:
    name = f"nobody{desk.number}"
    with pytest.raises(ApiProblem):
        ApiClient(stack.gateway_url).sign_in(name, "some password")
    city = ApiClient(stack.gateway_url).sign_in("city", demo_password())
    (failed,) = acts(city, account_name=name)
    assert (failed["label"], name in str(failed)) == ("登录", False)

    sheet = city.http.post(f"{city.base}/api/v1/audit/export", json={"account_name": name}, timeout=60)
    assert load_workbook(BytesIO(sheet.content)).worksheets[0].max_row == 2
    exports = acts(city, action="membership.export_acts")
    assert {"rows": 1, "account_name": name} in [one["new"] for one in exports]

    saved = city.post("audit/searches", {"name": name, "filter": {"account_name": name}})
    assert saved in city.get("audit/searches")["items"]
    city.delete(f"audit/searches/{saved['search_id']}")


def test_an_audit_event_is_shown_within_scope_and_to_operators_without_personal_data(
    stack: Stack, desk: Desk, administrator: ApiClient
) -> None:
    desk.register(*people(1))
    [seen, *_] = acts(administrator, account_name=desk.account_name, action="membership.register_member")
    with pytest.raises(ApiProblem) as refused:
        desk.clerk.get("audit")
    assert refused.value.status == 403
    operator = ApiClient(stack.gateway_url).sign_in("ops", demo_password())
    shown = operator.get(f"audit/{seen['act_id']}")
    assert (shown["display_name"], shown["old"], shown["new"]) == (None, None, None)
    city = ApiClient(stack.gateway_url).sign_in("city", demo_password())
    assert city.get(f"audit/{seen['act_id']}")["display_name"] == seen["display_name"]
    [of_the_city, *_] = acts(city, account_name="city")
    with pytest.raises(ApiProblem) as not_found:
        administrator.get(f"audit/{of_the_city['act_id']}")
    assert not_found.value.status == 404


def test_the_chain_of_the_running_system_holds(stack: Stack) -> None:
    check = [sys.executable, "-m", "services.membership.audit.audit_verify"]
    done = subprocess.run(
        check, cwd=ROOT, env=stack.environment("membership"), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "chain intact to" in done.stdout) == (0, True), done.stderr
