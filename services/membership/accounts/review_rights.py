"""Who decides on requests besides a union's own reviewers: deputies, and the next superior where nobody else can.

Both follow from accounts and delegations as they are when a session is used, and travel in the caller.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, any_, false, select
from sqlalchemy.orm import Session

from services.contracts.overdue import today
from services.kit.data.bulk import is_any_of
from services.kit.rpc.request import Principal
from services.membership.accounts.controls import others_who_may_act_as
from services.membership.models import Account, Delegation, Union

REVIEWER = "reviewer"
_CAN_HAVE_NONE_BELOW = "grassroots"


def covered_union_ids(session: Session, union: Union) -> list[UUID]:
    """The unions below for which this union's reviewers decide, since neither these nor any between have an active one.

    Choice: an account that is locked for a while, or that its holder has not used yet, counts as active.
    """
    if union.kind == _CAN_HAVE_NONE_BELOW:
        return []
    below = select(Union.union_id, Union.superior_ids).where(
        Union.superior_ids.contains([union.union_id]), Union.kind != _CAN_HAVE_NONE_BELOW
    )
    paths = {
        row.union_id: [*row.superior_ids[len(union.superior_ids) + 1 :], row.union_id] for row in session.execute(below)
    }
    return without_reviewer(paths, unions_with_reviewers(session, paths))


def without_reviewer(paths: Mapping[UUID, Sequence[UUID]], reviewing: Collection[UUID]) -> list[UUID]:
    """The unions on whose path, from below the superior down to themselves, no union has reviewers."""
    return [union_id for union_id, path in paths.items() if not any(one in reviewing for one in path)]


def unions_with_reviewers(session: Session, union_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the unions that have an active reviewer."""
    found = select(Account.union_id).where(is_any_of(Account.union_id, union_ids), is_reviewer()).distinct()
    return set(session.scalars(found))


def principals_of(session: Session, deputy: Account) -> list[Principal]:
    """Whom an account stands in for today: those who could decide themselves."""
    standing = (
        _running()
        .where(Delegation.deputy_id == deputy.account_id)
        .order_by(Delegation.made_at, Delegation.delegation_id)
    )
    return [_principal(session, *row) for row in session.execute(standing)]


def deputies_of(session: Session, union_ids: Iterable[UUID]) -> list[tuple[UUID, Account]]:
    """The accounts that stand in today for reviewers of these unions, each with the union."""
    deputy_ids = (
        _running()
        .where(is_any_of(Delegation.union_id, union_ids))
        .with_only_columns(Delegation.union_id, Delegation.deputy_id)
    )
    standing = deputy_ids.subquery()
    found = select(standing.c.union_id, Account).join(Account, Account.account_id == standing.c.deputy_id)
    return [(union_id, account) for union_id, account in session.execute(found.where(Account.disabled.is_(False)))]


def is_reviewer() -> ColumnElement[bool]:
    """The condition for an active account that reviews."""
    return and_(Account.disabled.is_(False), any_(Account.roles) == REVIEWER)


def same_person(account: Account) -> ColumnElement[bool]:
    """The condition for accounts that share the telephone of this one, where links for both arrive."""
    if account.phone_digest is None:
        return false()
    return and_(Account.phone_digest.is_not(None), Account.phone_digest == account.phone_digest)


def _running() -> Select[Delegation, Account, Union]:
    """Delegations of today, with the principal, who has to be an active reviewer, and its union."""
    day = today()
    return (
        select(Delegation, Account, Union)
        .join(Account, Account.account_id == Delegation.principal_id)
        .join(Union, Union.union_id == Account.union_id)
        .where(Delegation.ended_at.is_(None), Delegation.first_day <= day, Delegation.last_day >= day, is_reviewer())
    )


def _principal(session: Session, delegation: Delegation, account: Account, union: Union) -> Principal:
    return Principal(
        account_id=str(account.account_id),
        name=account.display_name,
        union_ids=(str(union.union_id), *(str(one) for one in covered_union_ids(session, union))),
        controllers=tuple(sorted(str(one) for one in others_who_may_act_as(session, account))),
        last_day=delegation.last_day.isoformat(),
    )
