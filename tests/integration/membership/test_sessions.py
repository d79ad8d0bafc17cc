"""Sessions: how long they are valid, what ends them, and the events about it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from services.contracts.events.membership import SESSIONS_ENDED
from services.contracts.operations.membership.accounts import ResetPasswordRequest, UpdateAccountRequest
from services.contracts.operations.membership.identity import (
    ListMySessionsRequest,
    SessionAnswer,
    SessionRequest,
    SignOutRequest,
)
from services.kit.problems import NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.membership.accounts import accounts, reset_links
from services.membership.accounts.account_links import hash_of
from services.membership.identity import sessions
from services.membership.models import Account, Member, ResetLink, SignedInSession
from tests.integration.membership.holder import (
    PASSWORD,
    VISIT,
    VISITOR,
    a_session_of,
    change_password,
    sign_in_and_stay,
)
from tests.integration.membership.office import Office, a_caller

PHONE = "13900000001"


@pytest.fixture
def clerk(office: Office, account: Account) -> Account:
    """A clerk who has chosen a password."""
    with office.begin() as session:
        session.get_one(Account, account.account_id).must_change_password = False
    return account


def the_session_of(holder: Caller) -> SessionRequest:
    return SessionRequest(session_id=UUID(holder.session_id))


def use(office: Office, holder: Caller) -> SessionAnswer:
    with office.begin() as session:
        return sessions.use(Work(session, VISITOR), the_session_of(holder))


def sign_out(office: Office, holder: Caller) -> None:
    with office.begin() as session:
        sessions.sign_out(Work(session, holder), SignOutRequest())


def has_ended(office: Office, holder: Caller) -> bool:
    try:
        use(office, holder)
    except Problem as refusal:
        return (refusal.code, refusal.status) == ("session_ended", 401)
    return False


def grow_older(office: Office, *, used: timedelta = timedelta(), started: timedelta = timedelta()) -> None:
    older = {"used_at": SignedInSession.used_at - used, "started_at": SignedInSession.started_at - started}
    with office.begin() as session:
        session.execute(update(SignedInSession).values(older))


def test_who_signs_in_acts_in_a_session_with_all_that_services_need_to_know(office: Office, clerk: Account) -> None:
    begun = sign_in_and_stay(office)["session"]

    caller = Caller.from_dict(begun["caller"])
    assert caller == Caller.from_dict(use(office, caller).caller)
    assert (caller.account_name, caller.roles, caller.union_name) == ("jianlang", frozenset({"clerk"}), "上海建朗工会")
    assert caller.session_id == str(begun["session_id"])


def test_who_has_to_choose_a_password_is_limited_until_then(office: Office, account: Account) -> None:
    answer = sign_in_and_stay(office)
    limited = Caller.from_dict(answer["session"]["caller"])
    assert (answer["account"]["next_step"], limited.roles) == ("password_change", frozenset({"limited"}))

    begun = change_password(office, limited, "another one 7")

    assert begun["caller"]["roles"] == ["clerk"]
    assert has_ended(office, limited)
    assert not has_ended(office, Caller.from_dict(begun["caller"]))


def test_a_session_that_is_used_lives_on_and_an_idle_one_ends(office: Office, clerk: Account) -> None:
    holder = a_session_of(office, clerk)
    for _ in range(3):
        grow_older(office, used=timedelta(minutes=29))
        use(office, holder)
    grow_older(office, used=timedelta(minutes=31))

    assert has_ended(office, holder)


def test_looking_at_a_session_is_no_use_of_it(office: Office, clerk: Account) -> None:
    holder = a_session_of(office, clerk)
    for _ in range(2):
        grow_older(office, used=timedelta(minutes=14))
        with office.begin() as session:
            seen = sessions.peek(Work(session, VISITOR), the_session_of(holder))
        assert seen.caller["account_name"] == "jianlang"
    grow_older(office, used=timedelta(minutes=3))

    assert has_ended(office, holder)


def test_a_session_ends_after_twelve_hours_although_it_is_used(office: Office, clerk: Account) -> None:
    holder = a_session_of(office, clerk)
    grow_older(office, started=timedelta(hours=11, minutes=50))
    ends_at = use(office, holder).ends_at
    grow_older(office, started=timedelta(minutes=11))

    assert has_ended(office, holder)
    with office.begin() as session:
        assert session.get_one(SignedInSession, UUID(holder.session_id)).used_at + timedelta(minutes=11) > ends_at


def test_signing_out_ends_the_session_and_publishes_it(office: Office, clerk: Account) -> None:
    holder, elsewhere = a_session_of(office, clerk), a_session_of(office, clerk)
    sign_out(office, holder)

    assert (has_ended(office, holder), has_ended(office, elsewhere)) == (True, False)
    assert office.published(SESSIONS_ENDED) == [{"session_ids": [UUID(holder.session_id)], "because": "signed_out"}]


def test_signing_in_again_in_a_browser_ends_the_session_that_it_had(office: Office, clerk: Account) -> None:
    before = a_session_of(office, clerk)
    a_session_of(office, clerk, replaces=UUID(before.session_id))

    assert has_ended(office, before)


def test_a_password_change_ends_all_other_sessions(office: Office, clerk: Account) -> None:
    here, elsewhere = a_session_of(office, clerk), a_session_of(office, clerk)
    begun = change_password(office, here, "another one 7")

    assert (has_ended(office, here), has_ended(office, elsewhere)) == (True, True)
    assert not has_ended(office, Caller.from_dict(begun["caller"]))
    (published,) = office.published(SESSIONS_ENDED)
    assert (set(published["session_ids"]), published["because"]) == (
        {UUID(here.session_id), UUID(elsewhere.session_id)},
        "password_changed",
    )


def test_nobody_changes_a_password_in_a_session_that_has_ended(office: Office, clerk: Account) -> None:
    holder = a_session_of(office, clerk)
    sign_out(office, holder)

    with pytest.raises(Problem, match="session_ended"):
        change_password(office, holder, "another one 7")


def choose_by_a_link(session: Session, by: Caller, account_id: UUID) -> None:
    """As who holds a link of this administrator."""
    link = ResetLink(
        token_hash=hash_of("token"), account_id=account_id, is_for_holder=True, made_by=UUID(by.account_id)
    )
    link.expires_at = datetime.now(UTC) + timedelta(minutes=1)
    session.add(link)
    request = ResetPasswordRequest(token="token", new_password="another one 7")
    reset_links.reset_password(Work(session, Caller()), request)


def close_account(session: Session, by: Caller, account_id: UUID) -> None:
    accounts.update_account(Work(session, by), UpdateAccountRequest(account_id=account_id, disabled=True))


def give_another_role(session: Session, by: Caller, account_id: UUID) -> None:
    accounts.update_account(Work(session, by), UpdateAccountRequest(account_id=account_id, roles=["reviewer"]))


@pytest.mark.parametrize(
    ("act", "because"),
    [
        (choose_by_a_link, "password_reset"),
        (close_account, "account_disabled"),
        (give_another_role, "roles_changed"),
    ],
)
def test_what_an_administrator_changes_of_the_account_ends_its_sessions(
    office: Office, clerk: Account, act: Callable[..., Any], because: str
) -> None:
    holder = a_session_of(office, clerk)
    with office.begin() as session:
        act(session, a_caller(office.superior, "administrator"), clerk.account_id)

    assert has_ended(office, holder)
    assert [published["because"] for published in office.published(SESSIONS_ENDED)] == [because]


def test_another_name_or_the_same_roles_end_nothing(office: Office, clerk: Account) -> None:
    holder = a_session_of(office, clerk)
    request = UpdateAccountRequest(account_id=clerk.account_id, roles=["clerk"], display_name="王小芳")
    with office.begin() as session:
        accounts.update_account(Work(session, a_caller(office.superior, "administrator")), request)

    assert use(office, holder).caller["display_name"] == "王小芳"


def test_ones_own_sessions_are_seen_and_ended_and_nobody_elses(office: Office, clerk: Account) -> None:
    other = accounts.new_account(office.union, "other", "李四", ["clerk"], PASSWORD)
    with office.begin() as session:
        session.add(other)
    here, elsewhere = a_session_of(office, clerk), a_session_of(office, clerk, user_agent="Phone\x07" + "x" * 500)
    foreign = a_session_of(office, other)

    with office.begin() as session:
        listed = sessions.list_own(Work(session, here), ListMySessionsRequest()).items
        sessions.end_own(Work(session, here), the_session_of(elsewhere))
    with pytest.raises(NotFound), office.begin() as session:
        sessions.end_own(Work(session, here), the_session_of(foreign))

    assert [(str(one.session_id), one.is_current) for one in listed] == [
        (elsewhere.session_id, False),
        (here.session_id, True),
    ]
    assert (listed[0].origin, listed[0].user_agent) == (VISITOR.origin, "Phone" + "x" * 195)
    assert (has_ended(office, elsewhere), has_ended(office, foreign)) == (True, False)


def test_a_member_on_the_phone_has_a_session_too(office: Office) -> None:
    (member_id,) = office.numbered(phone=PHONE, affiliation="flexible")
    with office.begin() as session:
        begun = sessions.start(session, session.get_one(Member, member_id), VISITOR, VISIT)
    holder = Caller.from_dict(begun.caller)
    assert (holder.member_id, holder.account_id, holder.roles) == (str(member_id), None, frozenset({"member"}))

    sign_out(office, holder)

    assert has_ended(office, holder)
