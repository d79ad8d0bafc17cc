"""Who may decide on a request: reviewers of its superior union, deputies in their name, or reviewers further above.

Never the requester, nor an account that one person could act as together with the requester's; that holds for the
deputy and for whom it stands in for. What the caller may rests on what membership put into its session, which the
gateway signs: the unions that it covers, since none below has a reviewer, and its principals (record 74).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_

from services.contracts.overdue import today
from services.kit.data.bulk import is_any_of
from services.kit.problems import Forbidden
from services.kit.rpc.request import Caller, Principal
from services.revocation.models import Revocation
from services.revocation.request_states import RequestState

_REVIEWER = "reviewer"


@dataclass(frozen=True)
class Right:
    """A right to decide: the caller's own, or as a deputy that of its principal."""

    principal: Principal | None
    union_ids: tuple[str, ...]
    account_ids: frozenset[str]
    """Accounts that one person could act as; if one of them made or controls the request, there is no right."""


def right_to_decide(caller: Caller, request: Revocation) -> Right | None:
    """The right by which the caller may decide, its own before that of a principal; None where it may not."""
    return next((right for right in _rights_over(caller, request) if not _is_barred(request, right)), None)


def require_right(caller: Caller, request: Revocation) -> Right:
    """As `right_to_decide`; raises Forbidden, which says why the caller may not decide."""
    right = right_to_decide(caller, request)
    if right is not None:
        return right
    if str(request.requested_by) == caller.account_id:
        raise Forbidden("own_request", "不能审核自己提交的撤销申请", "请由其他审核人审核。")
    if next(_rights_over(caller, request), None) is None:
        raise Forbidden("not_the_superior", "该撤销申请由提交工会的上级工会审核", "您可以查看，但不能审核。")
    if not one_person_may_act_as_both(request, caller.account_id, caller.controllers):
        raise Forbidden(
            "request_of_principal",
            "提交申请的账号与您所代的审核人为同一人，或近期由同一管理员开通、重置或变更，您不能代其审核该申请",
            "请由其他审核人审核。",
        )
    raise Forbidden(
        "same_administrator",
        "提交申请的账号与您的账号为同一手机号，或近期由同一管理员开通、重置或变更，您不能审核该申请",
        "请由其他审核人审核。",
    )


def waits_for(caller: Caller) -> ColumnElement[bool]:
    """The same as `right_to_decide` of an open request, in SQL."""
    is_open = Revocation.state == RequestState.REQUESTED
    return and_(is_open, or_(false(), *(_is_within(right) for right in _rights(caller))))


def represented_union_ids(caller: Caller) -> list[UUID]:
    """The unions whose reviewers the caller stands in for."""
    return [UUID(one) for principal in _principals(caller) for one in principal.union_ids]


def one_person_may_act_as_both(request: Revocation, account_id: str | None, controllers: Sequence[str]) -> bool:
    """Whether one person could act as the requester and as this account; membership provides the controllers."""
    requester = {str(one) for one in (request.requested_by, *request.requester_controllers)}
    return not requester.isdisjoint({account_id, *controllers})


def _rights(caller: Caller) -> Iterator[Right]:
    own = frozenset(one for one in (caller.account_id, *caller.controllers) if one)
    if _REVIEWER in caller.roles and caller.union_id:
        yield Right(None, (caller.union_id, *caller.covered_union_ids), own)
    for principal in _principals(caller):
        yield Right(principal, principal.union_ids, own | {principal.account_id, *principal.controllers})


def _principals(caller: Caller) -> Iterator[Principal]:
    """Whom the caller stands in for: a session may be older than the end of a delegation."""
    day = today().isoformat()
    return (one for one in caller.principals if one.last_day >= day)


def _rights_over(caller: Caller, request: Revocation) -> Iterator[Right]:
    return (right for right in _rights(caller) if str(request.reviewer_union_id) in right.union_ids)


def _is_barred(request: Revocation, right: Right) -> bool:
    return not right.account_ids.isdisjoint(str(one) for one in (request.requested_by, *request.requester_controllers))


def _is_within(right: Right) -> ColumnElement[bool]:
    accounts = sorted(UUID(one) for one in right.account_ids)
    return and_(
        is_any_of(Revocation.reviewer_union_id, [UUID(one) for one in right.union_ids]),
        Revocation.requested_by.not_in(accounts),
        ~Revocation.requester_controllers.overlap(accounts),
    )
