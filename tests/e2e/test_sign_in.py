"""Sign-in and sign-out over two gateway processes, with several browsers of one account."""

from collections.abc import Iterator

import pytest
import requests

from deploy.local.captcha_solver import solved_captcha
from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from tests.desks import DESK_PASSWORD, a_desk
from tests.e2e.second_gateway import second_gateway

SECOND_PASSWORD = "second of the two gateways"


@pytest.fixture(scope="module")
def other_url(stack: Stack) -> Iterator[str]:
    """The address of the second gateway."""
    with second_gateway(stack) as url:
        yield url


@pytest.fixture
def clerk(stack: Stack) -> ApiClient:
    """A clerk who has just chosen a password."""
    return a_desk(stack.gateway_url).clerk


def at(url: str, client: ApiClient) -> ApiClient:
    """The same browser at another gateway: its cookies are copied."""
    other = ApiClient(url)
    other.http.cookies.update(client.http.cookies)
    return other


def refusal(client: ApiClient, path: str) -> int | None:
    """The status of the refusal; none where it is answered."""
    try:
        client.get(path)
    except ApiProblem as problem:
        return problem.status
    return None


def test_a_session_counts_at_each_gateway_until_one_signs_out_at_one_of_them(clerk: ApiClient, other_url: str) -> None:
    there = at(other_url, clerk)
    assert there.get("me")["account_name"] == clerk.account["account_name"]
    copy = at(clerk.base, clerk)

    clerk.delete("sessions/current")

    assert refusal(copy, "me") == 401
    wait_until(lambda: refusal(there, "me") == 401, "the other gateway has heard of the end")


def test_an_open_page_at_the_other_gateway_ends_with_its_session(clerk: ApiClient, other_url: str) -> None:
    there = at(other_url, clerk)
    with requests.get(f"{other_url}/api/v1/stream", cookies=there.http.cookies, stream=True, timeout=60) as page:
        lines = page.iter_lines(chunk_size=1)
        assert next(lines) == b"event: resync"

        clerk.delete("sessions/current")

        assert list(lines)[-1] == b""


def test_a_password_change_ends_the_sessions_elsewhere_and_goes_on_here(clerk: ApiClient, other_url: str) -> None:
    name = clerk.account["account_name"]
    elsewhere = ApiClient(other_url).sign_in(name, DESK_PASSWORD)
    assert len(clerk.get("me/sessions")["items"]) == 2

    clerk.post("me/password", {"current_password": DESK_PASSWORD, "new_password": SECOND_PASSWORD})

    wait_until(lambda: refusal(elsewhere, "me") == 401, "the other gateway has heard of the change")
    (here,) = clerk.get("me/sessions")["items"]
    assert here["is_current"]


def test_a_session_at_the_other_gateway_is_ended_from_here(clerk: ApiClient, other_url: str) -> None:
    elsewhere = ApiClient(other_url).sign_in(clerk.account["account_name"], DESK_PASSWORD)
    (other,) = [one for one in clerk.get("me/sessions")["items"] if not one["is_current"]]

    clerk.delete(f"me/sessions/{other['session_id']}")

    wait_until(lambda: refusal(elsewhere, "me") == 401, "the other gateway has heard of the end")
    assert refusal(clerk, "me") is None


def test_a_captcha_counts_once_at_all_gateways_together(clerk: ApiClient, other_url: str) -> None:
    anybody, there = ApiClient(clerk.base), ApiClient(other_url)
    form = credentials(anybody, clerk.account["account_name"], DESK_PASSWORD)
    anybody.post("sessions", form)

    assert problem_of(there, form).code == "captcha_used"


def test_failures_at_both_gateways_together_delay_strangers(clerk: ApiClient, other_url: str) -> None:
    name = clerk.account["account_name"]
    anybody, there = ApiClient(clerk.base), ApiClient(other_url)
    for browser in (anybody, there, anybody, there, anybody):
        assert problem_of(browser, credentials(browser, name, "not the password")).code == "sign_in_failed"

    assert problem_of(there, credentials(there, name, DESK_PASSWORD)).code == "sign_in_delayed"
    assert at(other_url, clerk).post("sessions", credentials(there, name, DESK_PASSWORD))


def credentials(browser: ApiClient, account_name: str, password: str) -> dict[str, str]:
    """A sign-in form, its captcha answered rightly."""
    return {"account_name": account_name, "password": password, **solved_captcha(browser.post, "sign_in")}


def problem_of(browser: ApiClient, form: dict[str, str]) -> ApiProblem:
    with pytest.raises(ApiProblem) as problem:
        browser.post("sessions", form)
    return problem.value
