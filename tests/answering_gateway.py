"""The gateway's routes in this process, with fake services that answer by their contracts."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from gateway.api import ROUTES
from services.contracts.operations.membership import accounts, identity
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import ANONYMOUS
from tests.answers import an_answer, answers_of
from tests.gateway_page import Call, Page, a_session_answer


def a_page_of(role: str) -> Page:
    """Returns a browser that is signed in with this role; not signed in for `anonymous`."""
    page = Page(ROUTES)
    for name, service in page.services.items():
        service.answers |= answers_of(name)
    account = {"account_id": None, "member_id": str(UUID(int=1))} if role == "member" else {}
    caller = page.sign_in_as(role, **account)
    if role == ANONYMOUS:
        page.delete_cookie("session")
    _let_sessions_begin(page, caller)
    return page


def calls_to_services(page: Page) -> list[Call]:
    """Returns the calls to services, without those that look up the session."""
    calls = [call for service in page.services.values() for call in service.calls]
    return [call for call in calls if call.name not in ("use_session", "look_at_session")]


def _let_sessions_begin(page: Page, caller: Caller) -> None:
    def begun() -> dict[str, Any]:
        return {**a_session_answer(caller, page.clock.seconds + 1800), "session_id": str(uuid4()), "next_step": None}

    def with_session(answer: dict[str, Any]) -> Callable[[Any], dict[str, Any]]:
        return lambda _asked: {**answer, "session": begun()}

    account = an_answer(accounts.AccountAnswer)
    page.services["membership"].answers |= {
        "sign_in": with_session({"account": account}),
        "pass_second_factor": with_session({"account": account}),
        "confirm_second_factor": with_session(an_answer(identity.RecoveryCodesAnswer)),
        "personal_sign_in": with_session({"member": an_answer(identity.SignedInMember)}),
        "change_password": lambda _asked: begun(),
        "remove_second_factor": lambda _asked: begun(),
        "sign_out": {},
    }
