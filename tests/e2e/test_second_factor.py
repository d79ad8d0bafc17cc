"""The second factor over HTTP: enrolment, sign-in, and removal by an administrator after it was lost."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from pyotp import TOTP

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from tests.desks import DESK_PASSWORD, Desk, a_desk


@pytest.fixture
def desk(stack: Stack) -> Desk:
    return a_desk(stack.gateway_url)


def test_a_second_factor_from_its_enrolment_to_its_loss(desk: Desk) -> None:
    clerk = desk.clerk
    totp = TOTP(clerk.post("me/second-factor", {"current_password": DESK_PASSWORD})["secret"])
    recovery_code = wait_until(lambda: _confirm(clerk, totp), "the factor is confirmed")[0]
    assert clerk.get("me")["has_second_factor"]
    clerk.delete("sessions/current")

    in_again = half_in(clerk)
    assert refusal(in_again.get, "members") == (403, "forbidden")
    code = totp.now()
    assert pass_it(in_again, code)["next_step"] is None
    assert in_again.get("members")["total"] >= 0

    replaying = half_in(clerk)
    assert refusal(pass_it, replaying, code) == (422, "second_factor_wrong")
    assert pass_it(replaying, recovery_code)["next_step"] is None
    assert refusal(pass_it, half_in(clerk), recovery_code) == (422, "second_factor_wrong")

    desk.office.administrator.post(f"accounts/{clerk.account['account_id']}/second-factor/remove")
    assert refusal(replaying.get, "me")[0] == 401
    assert sign_in(clerk).account["next_step"] is None


def _confirm(clerk: ApiClient, totp: TOTP) -> list[str] | None:
    """The recovery codes; None where the code ran out on its way: it is the last one, this one is to sign in with."""
    last_code = totp.at(time.time() - totp.interval)
    try:
        codes: list[str] = clerk.post("me/second-factor/confirm", {"code": last_code})["recovery_codes"]
    except ApiProblem as refused:
        if refused.code != "second_factor_wrong":
            raise
        return None
    return codes


def sign_in(clerk: ApiClient) -> ApiClient:
    """The clerk in another browser."""
    return ApiClient(clerk.base).sign_in(clerk.account["account_name"], DESK_PASSWORD)


def half_in(clerk: ApiClient) -> ApiClient:
    """The clerk in another browser, by the password alone."""
    browser = sign_in(clerk)
    assert browser.account["next_step"] == "second_factor"
    return browser


def pass_it(browser: ApiClient, code: str) -> dict[str, Any]:
    """The account that was let in."""
    account: dict[str, Any] = browser.post("sessions/current/second-factor", {"code": code})
    return account


def refusal(call: Callable[..., Any], *arguments: Any) -> tuple[int, str | None]:
    """The status and code of a refusal."""
    with pytest.raises(ApiProblem) as problem:
        call(*arguments)
    return problem.value.status, problem.value.code
