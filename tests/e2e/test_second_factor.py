"""The second factor over HTTP, from the enrolment of a clerk to the administrator who helps after it was lost."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pyotp import TOTP

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from services.membership.seed import demo_password

PASSWORD = "one of the two factors"
_STEP_SECONDS = 30


@pytest.fixture
def administrator(stack: Stack) -> ApiClient:
    """Of the union above the clerk's."""
    return ApiClient(stack.gateway_url).sign_in("yangpu-admin", demo_password())


@pytest.fixture
def clerk(stack: Stack, administrator: ApiClient) -> Iterator[ApiClient]:
    """A clerk with an own password; the account is closed after the test."""
    union = next(one for one in administrator.get("unions")["items"] if one["kind"] == "grassroots")
    path = f"unions/{union['union_id']}/accounts"
    name = f"two-factors-{administrator.get(path)['total']}"
    account = administrator.post(path, {"account_name": name, "display_name": "王芳", "roles": ["clerk"]})
    one_time = account["one_time_password"]
    clerk = ApiClient(stack.gateway_url).sign_in(name, one_time)
    clerk.post("me/password", {"current_password": one_time, "new_password": PASSWORD})
    clerk.account = clerk.get("me")
    yield clerk
    administrator.patch(f"accounts/{account['account_id']}", {"disabled": True})


def test_a_second_factor_from_its_enrolment_to_its_loss(clerk: ApiClient, administrator: ApiClient) -> None:
    totp = TOTP(clerk.post("me/second-factor", {"current_password": PASSWORD})["secret"])
    wait_until(lambda: time.time() % _STEP_SECONDS < _STEP_SECONDS / 2, "a code before this one still counts")
    before = totp.at(time.time() - _STEP_SECONDS)
    recovery_code = clerk.post("me/second-factor/confirm", {"code": before})["recovery_codes"][0]
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

    administrator.post(f"accounts/{clerk.account['account_id']}/second-factor/remove")
    assert refusal(replaying.get, "me")[0] == 401
    assert sign_in(clerk).account["next_step"] is None


def sign_in(clerk: ApiClient) -> ApiClient:
    """The clerk in another browser."""
    return ApiClient(clerk.base).sign_in(clerk.account["account_name"], PASSWORD)


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
    """The status and code of what is refused."""
    with pytest.raises(ApiProblem) as problem:
        call(*arguments)
    return problem.value.status, problem.value.code
