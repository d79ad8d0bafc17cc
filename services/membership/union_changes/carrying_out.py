"""Carries out a change of the tree: what it concerns, and the move, the merger or the dissolution itself.

All below a union that is moved goes along: unions, members, accounts, what waits. Who decides on requests and sees
figures follows from the new place. The other services learn it by `unions_changed`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.contracts.operations.membership.union_changes import UnionChangePreview
from services.kit.rpc.methods import Caller
from services.kit.schemas import required
from services.membership.accounts.accounts import close_account
from services.membership.accounts.delegations import count_broken, end_broken
from services.membership.applications.application_states import CardState
from services.membership.event_builders import publish_unions
from services.membership.models import Account, Member, Union
from services.membership.union_changes.merging import merge
from services.membership.union_changes.moving import put_below
from services.membership.union_changes.obstacles import count_of, is_below, obstacles
from services.membership.unions import is_union_or_below

_WAITING = (CardState.PENDING, CardState.SUBMITTED)
_Act = Callable[[Session, Union, Union | None, Caller], None]


def preview(session: Session, kind: str, union: Union, target: Union | None) -> UnionChangePreview:
    """What a change concerns, and what is in its way."""
    within = select(Union.union_id).where(is_union_or_below(union.union_id))
    members = select(func.count()).where(Member.union_id.in_(within), Member.left_at.is_(None))
    accounts = select(func.count()).where(Account.union_id.in_(within), Account.disabled.is_(False))
    return UnionChangePreview(
        unions=count_of(session, is_below(union)),
        accounts=session.scalar(accounts) or 0,
        members=session.scalar(members) or 0,
        waiting=session.scalar(members.where(Member.card_state.in_(_WAITING))) or 0,
        delegations=count_broken(session, union, target) if target else 0,
        obstacles=list(obstacles(session, kind, union, target)),
    )


def carry_out(session: Session, kind: str, union: Union, target: Union | None, caller: Caller) -> None:
    """Moves, merges or dissolves a union, in whose way nothing is."""
    _ACTS[kind](session, union, target, caller)


def lock_unions(session: Session, union: Union, target: Union | None) -> Sequence[UUID]:
    """Has nobody join a union, nor its accounts change, until the transaction ends; returns the accounts.

    Accounts are locked before unions, as elsewhere, and unions in the order of their ids. Rows that only refer to the
    unions are not held up.
    """
    of_union = select(Account.account_id).where(Account.union_id == union.union_id).order_by(Account.account_id)
    session.execute(of_union.with_for_update())
    for one in sorted(filter(None, (union, target)), key=lambda one: one.union_id):
        session.refresh(one, with_for_update={"key_share": True})
    return session.scalars(of_union).all()


def _move(session: Session, union: Union, target: Union | None, caller: Caller) -> None:
    end_broken(session, put_below(session, union, required(target)), required(target), caller)


def _merge(session: Session, union: Union, target: Union | None, caller: Caller) -> None:
    merge(session, union, required(target), caller)


def _dissolve(session: Session, union: Union, _target: Union | None, caller: Caller) -> None:
    union.ended_at = datetime.now(UTC)
    open_accounts = select(Account).where(Account.union_id == union.union_id, Account.disabled.is_(False))
    for account in session.scalars(open_accounts.order_by(Account.account_id).with_for_update()):
        close_account(session, account, caller)
    publish_unions(session, [union])


_ACTS: Mapping[str, _Act] = {"move": _move, "merge": _merge, "dissolve": _dissolve}
