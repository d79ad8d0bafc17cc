"""Attack by deliberate failures at sign-in: known devices still sign in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
import requests

from deploy.local.addresses import temporary_addresses
from deploy.local.captcha_solver import solved_captcha, use_secret_of
from deploy.local.client import ApiClient, ApiProblem
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack, running_stack
from gateway.proof_of_work import solve as do_work
from services.membership.seed import demo_password
from tests.databases import ROOT
from tests.desks import DESK_PASSWORD, a_desk, a_phone, form_of, people
from tests.phones import requested_code


def code_of(client: ApiClient, path: str, body: Mapping[str, object]) -> str | None:
    """The code of the refusal; none where it is answered."""
    try:
        client.post(path, dict(body))
    except ApiProblem as problem:
        return problem.code
    return None


def try_to_sign_in(client: ApiClient, name: str, password: str) -> str | None:
    return code_of(
        client, "sessions", {"account_name": name, "password": password, **solved_captcha(client.post, "sign_in")}
    )


def test_strangers_who_know_a_name_delay_one_another_and_not_the_holders_own_browser(stack: Stack) -> None:
    holder = a_desk(stack.gateway_url).clerk
    name = holder.account["account_name"]
    stranger = ApiClient(stack.gateway_url)
    refusals = [try_to_sign_in(stranger, name, f"wrong {number}") for number in range(8)]
    assert refusals == ["sign_in_failed"] * 5 + ["sign_in_delayed"] * 3
    assert try_to_sign_in(stranger, name, DESK_PASSWORD) == "sign_in_delayed"

    assert try_to_sign_in(holder, name, DESK_PASSWORD) is None


def test_a_code_works_in_the_browser_that_asked_for_it_whatever_others_try(stack: Stack) -> None:
    (person,) = people(1)
    a_desk(stack.gateway_url).clerk.post("members", form_of(person, affiliation="flexible"))
    member, stranger = ApiClient(stack.gateway_url), ApiClient(stack.gateway_url)
    code = requested_code(stack, person.phone, lambda: member.request_code(person.phone))
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for guess in (wrong, wrong, wrong, wrong, wrong, code):
        assert code_of(stranger, "personal/sessions", {"phone": person.phone, "code": guess}) == "otp_wrong"

    member.post("personal/sessions", {"phone": person.phone, "code": code})

    cookies = {cookie.name: cookie for cookie in member.http.cookies}
    assert cookies["device"].has_nonstandard_attr("HttpOnly")
    assert cookies["device"].get_nonstandard_attr("SameSite") == "Strict"


def test_no_sms_goes_out_without_a_captcha_nor_to_what_is_no_mobile_number(stack: Stack) -> None:
    browser = ApiClient(stack.gateway_url)
    assert code_of(browser, "personal/otp", {"phone": a_phone()}) == "invalid"
    for phone in ("021-12345678", "12345678901", "1380000000", "+1 202 555 0143"):
        assert code_of(browser, "personal/otp", {"phone": phone, **solved_captcha(browser.post, "sms_code")})
    for_signing_in = solved_captcha(browser.post, "sign_in")
    assert code_of(browser, "personal/otp", {"phone": a_phone(), **for_signing_in}) == "captcha_expired"


@contextmanager
def guarded_stack(nodes: Nodes) -> Iterator[Stack]:
    """A system with the limits of production, but for the work of its captchas."""
    with (
        pytest.MonkeyPatch.context() as secret_of_captchas,
        temporary_addresses(nodes, "guarded") as addresses,
        running_stack(ROOT / ".local" / "test-guarded", addresses, settings={"PROOF_OF_WORK_BITS": "4"}) as running,
    ):
        secret_of_captchas.setenv("SESSION_SECRET", "")
        use_secret_of(running.folder)
        yield running


@pytest.mark.long(
    "a stack of its own with the limits of production; tests/integration/membership tests each limit alone"
)
def test_rubbish_from_an_address_makes_captchas_harder_there_and_locks_nobody_out(nodes: Nodes) -> None:
    with guarded_stack(nodes) as stack:
        clerk = ApiClient(stack.gateway_url).sign_in("jianlang", demo_password())
        early = ApiClient(stack.gateway_url)
        easy = solved_captcha(early.post, "sign_in")
        for number in range(60):
            rubbish = ApiClient(stack.gateway_url)
            made_up = {"phone": f"139000009{number:02d}", "code": "123456"}
            assert code_of(rubbish, "personal/sessions", made_up) == "otp_wrong"
            assert code_of(rubbish, "password-resets/check", {"token": "rubbish"}) == "reset_link_invalid"
        assert early.post("captchas")["wait_seconds"] == 0, "each kind is counted for itself"
        for number in range(30):
            made = early.post("captchas")
            work = do_work(made["proof_of_work"]["salt"], made["proof_of_work"]["bits"])
            wrong = {"captcha_id": made["captcha_id"], "captcha_answer": "x", "proof_of_work": work}
            form = {"account_name": f"nobody{number}", "password": "x", **wrong}
            assert code_of(early, "sessions", form) in {"captcha_wrong", "captcha_too_early"}

        harder = early.post("captchas")
        assert harder["wait_seconds"] > 0
        assert harder["proof_of_work"]["bits"] > 4
        credentials = {"account_name": "guohua", "password": demo_password()}
        assert code_of(early, "sessions", {**credentials, **easy}) == "captcha_too_easy"
        assert clerk.post("captchas")["wait_seconds"] == 0
        assert try_to_sign_in(clerk, "jianlang", demo_password()) is None
        assert try_to_sign_in(early, "guohua", demo_password()) is None
        assert requests.get(f"{stack.gateway_url}/healthz", timeout=30).ok
