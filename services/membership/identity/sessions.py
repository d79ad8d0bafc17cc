"""Sessions: start, use, list and end them."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from services.contracts.events.membership import SESSIONS_ENDED, SessionsEndedData
from services.contracts.operations.membership.identity import (
    ListMySessionsRequest,
    MySession,
    MySessionsAnswer,
    SessionAnswer,
    SessionRequest,
    SignOutRequest,
    Visit,
)
from services.contracts.operations.roles import DEPUTY, LIMITED
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.settings import read_settings, settings_class
from services.membership.accounts.controls import others_who_may_act_as
from services.membership.accounts.review_rights import REVIEWER, covered_union_ids, principals_of
from services.membership.identity.next_step import next_step
from services.membership.models import Account, Member, SignedInSession, Union

_LONGEST_USER_AGENT = 200


@settings_class
class SessionSettings:
    """How long a session is valid; read from the environment by `read_settings`."""

    session_idle_minutes: float = 30
    session_longest_hours: float = 12

    @property
    def idle(self) -> timedelta:
        """The time without a request after which a session expires."""
        return timedelta(minutes=self.session_idle_minutes)

    @property
    def longest(self) -> timedelta:
        """The time after which a session expires, used or not."""
        return timedelta(hours=self.session_longest_hours)


def start(session: Session, holder: Account | Member, caller: Caller, visit: Visit) -> SessionAnswer:
    """Starts a session of the holder; the session that it replaces in the browser ends."""
    if visit.replaces is not None:
        _end(session, SignedInSession.session_id == visit.replaces, "signed_in_again")
    begun = SignedInSession(
        session_id=uuid4(),
        account_id=holder.account_id if isinstance(holder, Account) else None,
        member_id=holder.member_id if isinstance(holder, Member) else None,
        origin=caller.origin,
        user_agent=_shortened(visit.user_agent),
        device_id=visit.device_id,
    )
    return _begin(session, begun)


def renew(session: Session, old: SignedInSession, *, passed_second_factor: bool | None = None) -> SessionAnswer:
    """Starts a session with a new id in place of an ended one; it expires no later than that one.

    So a copy of the old session's cookie does not gain from the holder's further authentication.
    """
    begun = SignedInSession(
        session_id=uuid4(),
        account_id=old.account_id,
        origin=old.origin,
        user_agent=old.user_agent,
        device_id=old.device_id,
        passed_second_factor=old.passed_second_factor if passed_second_factor is None else passed_second_factor,
        started_at=old.started_at,
    )
    return _begin(session, begun)


def use(work: Work, request: SessionRequest) -> SessionAnswer:
    """The current session, which counts as used; raises Problem `session_ended`."""
    used = work.session.scalar(
        update(SignedInSession)
        .where(SignedInSession.session_id == request.session_id, _lives())
        .values(used_at=func.now())
        .returning(SignedInSession)
    )
    return _answer(work.session, used)


def peek(work: Work, request: SessionRequest) -> SessionAnswer:
    """As `use`, but it does not count as used: pages call it by themselves, without a user."""
    alive = select(SignedInSession).where(SignedInSession.session_id == request.session_id, _lives())
    return _answer(work.session, work.session.scalar(alive))


def current(session: Session, caller: Caller) -> SignedInSession:
    """The caller's session; raises Problem `session_ended`."""
    alive = select(SignedInSession).where(SignedInSession.session_id == caller.session_id, _lives())
    found = session.scalar(alive)
    if found is None:
        raise session_ended()
    return found


def list_own(work: Work, _request: ListMySessionsRequest) -> MySessionsAnswer:
    """The active sessions of the caller's account, newest first."""
    alive = work.session.scalars(
        select(SignedInSession)
        .where(SignedInSession.account_id == work.caller.account_id, _lives())
        .order_by(SignedInSession.started_at.desc())
    )
    return MySessionsAnswer(items=[_own_answer(one, work.caller) for one in alive])


def end_own(work: Work, request: SessionRequest) -> None:
    """Ends a session of the caller's account, on any device; raises NotFound."""
    audit.record(work.session, ("session", request.session_id))
    is_own = SignedInSession.account_id == work.caller.account_id
    if not _end(work.session, (SignedInSession.session_id == request.session_id) & is_own, "ended_by_holder"):
        raise NotFound(title="未找到该登录", detail="可能已经退出或过期。")


def sign_out(work: Work, _request: SignOutRequest) -> None:
    """Ends the caller's session."""
    if work.caller.session_id is not None:
        _end(work.session, SignedInSession.session_id == UUID(work.caller.session_id), "signed_out")


def end(session: Session, one: SignedInSession, because: str) -> None:
    """Ends one session; `because` is one of the contract's SESSION_ENDS."""
    _end(session, SignedInSession.session_id == one.session_id, because)


def end_all(session: Session, account: Account, because: str) -> list[UUID]:
    """Ends every session of the account; returns their ids. `because` is one of the contract's SESSION_ENDS."""
    return _end(session, SignedInSession.account_id == account.account_id, because)


def end_all_of_member(session: Session, member_id: UUID) -> list[UUID]:
    """Ends every session of a member whose phone number has changed; returns their ids.

    The event's reason is `locked`, for a consumer of an earlier release refuses unknown reasons.
    """
    return _end(session, SignedInSession.member_id == member_id, "locked")


def session_ended() -> Problem:
    """The refusal for a session that has ended."""
    return Problem("session_ended", 401, "登录已失效", "请重新登录；如账号已停用，请联系上级工会。")


def _begin(session: Session, begun: SignedInSession) -> SessionAnswer:
    session.add(begun)
    session.flush()
    session.refresh(begun)
    return _answer(session, begun)


def _end(session: Session, which: ColumnElement[bool], because: str) -> list[UUID]:
    ended = session.scalars(
        update(SignedInSession)
        .where(which, _lives())
        .values(ended_at=func.now(), ended_because=because)
        .returning(SignedInSession.session_id)
    ).all()
    for part in in_chunks(ended):
        publish(session, SESSIONS_ENDED, SessionsEndedData(session_ids=list(part), because=because))
    return list(ended)


def _lives() -> ColumnElement[bool]:
    settings = read_settings(SessionSettings)
    return (
        SignedInSession.ended_at.is_(None)
        & (SignedInSession.used_at > func.now() - settings.idle)
        & (SignedInSession.started_at > func.now() - settings.longest)
    )


def _answer(session: Session, found: SignedInSession | None) -> SessionAnswer:
    if found is None:
        raise session_ended()
    step = None
    if found.account_id:
        account = session.get_one(Account, found.account_id)
        step = next_step(account, found)
        caller = _account_caller(session, account, found, step)
    else:
        caller = _member_caller(session, found)
    return SessionAnswer(session_id=found.session_id, caller=caller.to_dict(), ends_at=_ends_at(found), next_step=step)


def _ends_at(found: SignedInSession) -> datetime:
    settings = read_settings(SessionSettings)
    return min(found.used_at + settings.idle, found.started_at + settings.longest)


def _account_caller(session: Session, account: Account, found: SignedInSession, step: str | None) -> Caller:
    if account.disabled:
        raise session_ended()
    caller = Caller(
        account_id=str(account.account_id),
        account_name=account.account_name,
        display_name=account.display_name,
        roles=frozenset({LIMITED} if step else account.roles),
        session_id=str(found.session_id),
        controllers=tuple(sorted(str(one) for one in others_who_may_act_as(session, account))),
    )
    caller = _of_union(session, caller, account.union_id)
    return caller if step else _with_review_rights(session, account, caller)


def _with_review_rights(session: Session, account: Account, caller: Caller) -> Caller:
    """The caller with whom it stands in for, and for which unions below its reviewers decide."""
    principals = tuple(principals_of(session, account))
    covered = covered_union_ids(session, session.get_one(Union, account.union_id)) if REVIEWER in account.roles else ()
    return replace(
        caller,
        roles=caller.roles | {DEPUTY} if principals else caller.roles,
        covered_union_ids=tuple(str(one) for one in covered),
        principals=principals,
    )


def _member_caller(session: Session, found: SignedInSession) -> Caller:
    member = session.get_one(Member, found.member_id)
    caller = Caller(
        member_id=str(member.member_id),
        display_name=member.name,
        roles=frozenset({"member"}),
        session_id=str(found.session_id),
    )
    return _of_union(session, caller, member.union_id)


def _of_union(session: Session, caller: Caller, union_id: UUID) -> Caller:
    """The caller with the facts of its union that services need."""
    union = session.get_one(Union, union_id)
    return replace(
        caller,
        union_id=str(union.union_id),
        union_code=union.code,
        union_name=union.name,
        superior_union_id=str(union.superior_union_id) if union.superior_union_id else None,
        superior_ids=tuple(str(one) for one in union.superior_ids),
    )


def _own_answer(one: SignedInSession, caller: Caller) -> MySession:
    return MySession(
        session_id=one.session_id,
        started_at=one.started_at,
        used_at=one.used_at,
        origin=one.origin,
        user_agent=one.user_agent,
        is_current=str(one.session_id) == caller.session_id,
    )


def _shortened(user_agent: str | None) -> str | None:
    printable = "".join(character for character in user_agent or "" if character.isprintable())
    return printable[:_LONGEST_USER_AGENT] or None
