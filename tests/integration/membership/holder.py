"""An account holder who calls membership's functions to sign in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from services.contracts.events.membership import OTP_REQUESTED, RESET_LINK_MADE
from services.contracts.operations.membership.identity import (
    CaptchaVerdict,
    ChangePasswordRequest,
    SignInRequest,
    Visit,
)
from services.kit.data.database import Database
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import as_dict
from services.membership.accounts import accounts
from services.membership.identity import own_account, sessions, sms_codes
from services.membership.identity.sign_in import sign_in as membership_signs_in
from services.membership.models import Account, FailureCount, Union
from tests.documents import an_event
from tests.integration.membership.office import Office

PASSWORD = "plum blossom 2026!"
VISITOR = Caller(origin="192.0.2.7")
VISIT = Visit(user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:143.0)", replaces=None)


def sign_in(office: Office, account_name: str = "jianlang", **more: Any) -> dict[str, Any]:
    """Signs in; returns the account."""
    answer: dict[str, Any] = sign_in_and_stay(office, account_name, **more)["account"]
    return answer


def sign_in_and_stay(
    office: Office,
    account_name: str = "jianlang",
    password: str = PASSWORD,
    *,
    captcha: CaptchaVerdict | None = None,
    visitor: Caller = VISITOR,
    device_id: UUID | None = None,
) -> dict[str, Any]:
    """Signs in; returns the account and its session."""
    request = a_sign_in(account_name, password, captcha=captcha, device_id=device_id)
    with office.begin() as session:
        answer: dict[str, Any] = as_dict(membership_signs_in(work_of(office, session, visitor), request))
    return answer


def a_sign_in(
    account_name: str = "jianlang",
    password: str = PASSWORD,
    *,
    captcha: CaptchaVerdict | None = None,
    device_id: UUID | None = None,
) -> SignInRequest:
    """Returns the gateway's request of a sign-in."""
    return SignInRequest(
        account_name=account_name,
        password=password,
        captcha=captcha or a_captcha(),
        visit=replace(VISIT, device_id=device_id),
    )


def work_of(office: Office, session: Session, caller: Caller) -> Work:
    """Returns the Work of a call by this caller."""
    return Work(session, caller, database_of(office))


def database_of(office: Office) -> Database:
    """Returns the office's database as the service uses it."""
    database = Database()
    database.engine = office.engine
    return database


def change_password(office: Office, holder: Caller, new: str, current: str = PASSWORD) -> dict[str, Any]:
    """Changes the password; returns the new session."""
    request = ChangePasswordRequest(current_password=current, new_password=new)
    with office.begin() as session:
        answer: dict[str, Any] = as_dict(own_account.change_password(work_of(office, session, holder), request))
    return answer


def a_captcha(**changes: Any) -> CaptchaVerdict:
    """Returns the gateway's verdict on a correctly answered captcha."""
    expires_at = datetime.now(UTC) + timedelta(minutes=5)
    verdict = CaptchaVerdict(captcha_id=uuid4(), expires_at=expires_at, is_right=True, level=5)
    return replace(verdict, **changes)


def fails(office: Office, **credentials: Any) -> Problem:
    """Signs in and returns the refusal."""
    with pytest.raises(Problem, match="sign_in_failed") as refusal:
        sign_in(office, **credentials)
    return refusal.value


def is_delayed(office: Office, **credentials: Any) -> bool:
    """Whether a sign-in is delayed."""
    with pytest.raises(Problem, match="sign_in_delayed") as refusal:
        sign_in(office, **credentials)
    return refusal.value.status == 429


def let_delays_pass(office: Office) -> None:
    """Lets all delays pass; counts stay."""
    with office.begin() as session:
        session.execute(update(FailureCount).values(free_at=datetime.now(UTC) - timedelta(seconds=1)))


def a_session_of(office: Office, account: Account, **visit: Any) -> Caller:
    """Returns the caller of a new session of the account."""
    with office.begin() as session:
        begun = sessions.start(session, account, VISITOR, replace(VISIT, **visit))
    return Caller.from_dict(begun.caller)


def issue_code(office: Office, number: int = -1) -> None:
    """Lets membership handle a request for a one-time password, by default the newest."""
    requested = OTP_REQUESTED.read(OTP_REQUESTED.dump(office.published(OTP_REQUESTED)[number]))
    with office.begin() as session:
        sms_codes.issue_code(session, an_event(requested))


def an_administrator(office: Office, union: Union, name: str, *more_roles: str, phone: str | None = None) -> Caller:
    """Returns an administrator of the union, whose account was created long ago."""
    account = accounts.new_account(union, name, "吴强", ["administrator", *more_roles], PASSWORD)
    if phone:
        accounts.set_phone(account, phone)
    with office.begin() as session:
        session.add(account)
    return replace(a_holder(account), account_name=name, display_name="吴强", scope=Scope.SUBORDINATES)


def a_link_sent(office: Office) -> str:
    """Returns the token of the newest link."""
    token: str = office.published(RESET_LINK_MADE)[-1]["recipient"]["url_path"].removeprefix("/reset#")
    return token


def give_phone(office: Office, account: Account, phone: str = "13812345678") -> None:
    """Gives the account this telephone, set long ago."""
    with office.begin() as session:
        found = session.get_one(Account, account.account_id)
        accounts.set_phone(found, phone)
        found.phone_changed_at = datetime.now(UTC) - timedelta(days=30)


def a_holder(account: Account) -> Caller:
    """Returns the caller who is signed in with the account."""
    return Caller(account_id=str(account.account_id), roles=frozenset(account.roles), union_id=str(account.union_id))
