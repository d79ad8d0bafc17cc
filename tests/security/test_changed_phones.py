"""Attack by changing a member's phone: whoever can change it cannot sign in as the member."""

import pytest

from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.stack import Stack
from tests.desks import Desk, a_desk, a_phone, form_of, people
from tests.phones import messages_to, signed_in


@pytest.fixture(scope="module")
def desk(stack: Stack) -> Desk:
    return a_desk(stack.gateway_url)


def apply(member: ApiClient) -> ApiProblem:
    """The refusal of a personal application."""
    outlet = member.get("outlets", q="古北")["items"][0]["code"]
    consent = member.get("consent-text")["version"]
    with pytest.raises(ApiProblem) as problem:
        member.post("personal/applications", {"outlet_code": outlet, "consent_version": consent})
    return problem.value


def test_a_clerk_who_changes_a_members_phone_does_not_become_the_member(stack: Stack, desk: Desk) -> None:
    (person,), clerks_own = people(1), a_phone()
    path = f"members/{desk.clerk.post('members', form_of(person, affiliation='flexible'))['member_id']}"
    member = signed_in(stack, person.phone)
    wait_until(lambda: member.get("personal/profile")["can_apply"], "the member has a number and can apply")

    changed = desk.clerk.patch(path, {"phone": clerks_own})
    assert changed["phone_held_until"] is not None
    wait_until(lambda: _is_signed_out(member), "the session of the member has ended")
    _is_told(stack, person.phone, f"变更为{clerks_own[:3]}****{clerks_own[-4:]}")
    _is_told(stack, clerks_own, "本手机号已于")

    taker = signed_in(stack, clerks_own)
    profile = taker.get("personal/profile")
    assert profile["can_apply"] is False
    assert "手机号刚变更" in profile["reason"]
    assert apply(taker).code == "phone_changed"
    with pytest.raises(ApiProblem) as refusal:
        taker.patch("personal/profile", {"address": "上海市杨浦区闸殷路1弄1号"})
    assert refusal.value.code == "phone_changed"


def test_who_is_let_in_by_another_kind_of_membership_or_a_first_phone_waits_too(stack: Stack, desk: Desk) -> None:
    (employed, without_phone), phone = people(2), a_phone()
    path = f"members/{desk.clerk.post('members', form_of(employed))['member_id']}"
    desk.clerk.patch(path, {"affiliation": "flexible"})
    assert apply(signed_in(stack, employed.phone)).code == "phone_changed"
    form = form_of(without_phone, affiliation="flexible", phone=None)
    path = f"members/{desk.clerk.post('members', form)['member_id']}"
    assert desk.clerk.get(path)["phone_held_until"] is None
    assert desk.clerk.patch(path, {"phone": phone})["phone_held_until"] is not None
    assert desk.clerk.patch(path, {"address": "上海市杨浦区闸殷路2弄2号"})["phone_held_until"] is not None


def test_a_number_changed_while_nobody_signs_in_by_it_is_notified_too(stack: Stack, desk: Desk) -> None:
    (employed,), clerks_own = people(1), a_phone()
    path = f"members/{desk.clerk.post('members', form_of(employed, affiliation='flexible'))['member_id']}"
    changed = desk.clerk.patch(path, {"affiliation": "employer", "phone": clerks_own})
    assert changed["phone_held_until"] is not None
    _is_told(stack, employed.phone, f"变更为{clerks_own[:3]}****{clerks_own[-4:]}")
    desk.clerk.patch(path, {"affiliation": "flexible"})
    assert apply(signed_in(stack, clerks_own)).code == "phone_changed"
    wait_until(lambda: len(messages_to(stack, employed.phone)) >= 2, "the number before is told once more")


def _is_signed_out(member: ApiClient) -> bool:
    try:
        member.get("personal/profile")
    except ApiProblem as problem:
        return problem.status == 401
    return False


def _is_told(stack: Stack, phone: str, words: str) -> None:
    wait_until(lambda: any(words in text for text in messages_to(stack, phone)), f"{words} is sent by SMS")
