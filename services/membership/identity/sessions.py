"""Sessions: who is signed in and from where, for how long, and what ends a session before its time."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from services.contracts.events.membership import SESSIONS_ENDED
from services.contracts.operations.roles import LIMITED
from services.kit.events.contract import in_messages
from services.kit.events.outbox import tell
from services.kit.operations import audit
from services.kit.problems import NotFound, Problem
from services.kit.rpc.methods import Caller
from services.kit.settings import read_settings, settings_class
from services.membership.accounts.controls import others_who_may_act_as
from services.membership.identity.next_step import next_step
from services.membership.models import Account, Member, SignedInSession, Union

_KEPT_FOR = timedelta(days=30)
_LONGEST_USER_AGENT = 200


@settings_class
class SessionSettings:
    """How long a session lives; read from the environment by `read_settings`."""

    session_idle_minutes: float = 30
    session_longest_hours: float = 12

    @property
    def idle(self) -> timedelta:
        """After this without a request one must sign in again."""
        return timedelta(minutes=self.session_idle_minutes)

    @property
    def longest(self) -> timedelta:
        """After this one must sign in again, used or not."""
        return timedelta(hours=self.session_longest_hours)


def start(session: Session, holder: Account | Member, caller: Caller, visit: Mapping[str, Any]) -> dict[str, Any]:
    """A new session of the holder (SessionAnswer); the one that it takes the place of in the browser ends."""
    if visit["replaces"] is not None:
        _end(session, SignedInSession.session_id == visit["replaces"], "signed_in_again")
    session.execute(delete(SignedInSession).where(SignedInSession.used_at < func.now() - _KEPT_FOR))
    begun = SignedInSession(
        session_id=uuid4(),
        account_id=holder.account_id if isinstance(holder, Account) else None,
        member_id=holder.member_id if isinstance(holder, Member) else None,
        origin=caller.origin,
        user_agent=_shortened(visit["user_agent"]),
        device_id=visit.get("device_id"),
    )
    return _begin(session, begun)


def go_on(session: Session, old: SignedInSession, *, passed_second_factor: bool | None = None) -> dict[str, Any]:
    """A session with a new name in the place of one that was ended (SessionAnswer); it lives no longer by it.

    So whoever has a copy of the old one's cookie is left behind when the holder has proved more.
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


def use(session: Session, session_id: UUID) -> dict[str, Any]:
    """The session as it is now (SessionAnswer), which counts as used; raises Problem `session_ended`."""
    used = session.scalar(
        update(SignedInSession)
        .where(SignedInSession.session_id == session_id, _lives())
        .values(used_at=func.now())
        .returning(SignedInSession)
    )
    return _answer(session, used)


def look_at(session: Session, session_id: UUID) -> dict[str, Any]:
    """As `use`, but it does not count as used: nobody sits there."""
    alive = select(SignedInSession).where(SignedInSession.session_id == session_id, _lives())
    return _answer(session, session.scalar(alive))


def current(session: Session, caller: Caller) -> SignedInSession:
    """The session that the caller acts in; raises Problem `session_ended`."""
    alive = select(SignedInSession).where(SignedInSession.session_id == caller.session_id, _lives())
    found = session.scalar(alive)
    if found is None:
        raise session_ended()
    return found


def list_own(session: Session, caller: Caller) -> dict[str, Any]:
    """The sessions of the caller's account that live, newest first."""
    alive = session.scalars(
        select(SignedInSession)
        .where(SignedInSession.account_id == caller.account_id, _lives())
        .order_by(SignedInSession.started_at.desc())
    )
    return {"items": [_own_answer(one, caller) for one in alive]}


def end_own(session: Session, caller: Caller, session_id: UUID) -> None:
    """Ends a session of the caller's account, on whichever computer it is; raises NotFound."""
    audit.note(session, ("session", session_id))
    own = (SignedInSession.session_id == session_id) & (SignedInSession.account_id == caller.account_id)
    if not _end(session, own, "ended_by_holder"):
        raise NotFound(title="未找到该登录", detail="可能已经退出或过期。")


def sign_out(session: Session, caller: Caller) -> None:
    """Ends the session that the caller acts in."""
    if caller.session_id is not None:
        _end(session, SignedInSession.session_id == UUID(caller.session_id), "signed_out")


def end(session: Session, one: SignedInSession, because: str) -> None:
    """Ends one session; `because` is one of the contract's SESSION_ENDS."""
    _end(session, SignedInSession.session_id == one.session_id, because)


def end_all(session: Session, account: Account, because: str) -> list[UUID]:
    """Ends every session of the account, and answers which; `because` is one of the contract's SESSION_ENDS."""
    return _end(session, SignedInSession.account_id == account.account_id, because)


def end_all_of_member(session: Session, member_id: UUID) -> list[UUID]:
    """Ends every session of a member on the phone whose number is another now, and answers which.

    It is told as `locked`: a consumer of a former release refuses an event with a reason that it does not know.
    """
    return _end(session, SignedInSession.member_id == member_id, "locked")


def session_ended() -> Problem:
    """The refusal for who is not signed in any more."""
    return Problem("session_ended", 401, "登录已失效", "请重新登录；如账号已停用，请联系上级工会。")


def _begin(session: Session, begun: SignedInSession) -> dict[str, Any]:
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
    for part in in_messages(ended):
        tell(session, SESSIONS_ENDED, {"session_ids": part, "because": because})
    return list(ended)


def _lives() -> ColumnElement[bool]:
    settings = read_settings(SessionSettings)
    return (
        SignedInSession.ended_at.is_(None)
        & (SignedInSession.used_at > func.now() - settings.idle)
        & (SignedInSession.started_at > func.now() - settings.longest)
    )


def _answer(session: Session, found: SignedInSession | None) -> dict[str, Any]:
    if found is None:
        raise session_ended()
    step = None
    if found.account_id:
        account = session.get_one(Account, found.account_id)
        step = next_step(account, found)
        caller = _account_caller(session, account, found, step)
    else:
        caller = _member_caller(session, found)
    return {
        "session_id": found.session_id,
        "caller": caller.to_dict(),
        "ends_at": _ends_at(found),
        "next_step": step,
    }


def _ends_at(found: SignedInSession) -> datetime:
    settings = read_settings(SessionSettings)
    return min(found.used_at + settings.idle, found.started_at + settings.longest)


def _account_caller(session: Session, account: Account, found: SignedInSession, step: str | None) -> Caller:
    if account.disabled:
        raise session_ended()
    roles = frozenset({LIMITED} if step else account.roles)
    return Caller(
        account_id=str(account.account_id),
        account_name=account.account_name,
        display_name=account.display_name,
        roles=roles,
        session_id=str(found.session_id),
        controllers=tuple(sorted(str(one) for one in others_who_may_act_as(session, account))),
        **_union_of_caller(session, account.union_id),
    )


def _member_caller(session: Session, found: SignedInSession) -> Caller:
    member = session.get_one(Member, found.member_id)
    return Caller(
        member_id=str(member.member_id),
        display_name=member.name,
        roles=frozenset({"member"}),
        session_id=str(found.session_id),
        **_union_of_caller(session, member.union_id),
    )


def _union_of_caller(session: Session, union_id: UUID) -> dict[str, Any]:
    union = session.get_one(Union, union_id)
    return {
        "union_id": str(union.union_id),
        "union_code": union.code,
        "union_name": union.name,
        "superior_union_id": str(union.superior_union_id) if union.superior_union_id else None,
        "superior_ids": tuple(str(union_id) for union_id in union.superior_ids),
    }


def _own_answer(one: SignedInSession, caller: Caller) -> dict[str, Any]:
    return {
        "session_id": one.session_id,
        "started_at": one.started_at,
        "used_at": one.used_at,
        "origin": one.origin,
        "user_agent": one.user_agent,
        "is_current": str(one.session_id) == caller.session_id,
    }


def _shortened(user_agent: str | None) -> str | None:
    printable = "".join(character for character in user_agent or "" if character.isprintable())
    return printable[:_LONGEST_USER_AGENT] or None
