"""What is in the way of a change of the tree, and must be done before."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.contracts.operations.membership.union_changes import Obstacle
from services.membership.applications.application_states import LIVE
from services.membership.models import Application, ImportJob, Member, Transfer, Union
from services.membership.unions import KINDS_BELOW

_IMPORTING = ("reading", "running")


def obstacles(session: Session, kind: str, union: Union, target: Union | None) -> Iterator[Obstacle]:
    """What is in the way; nothing else may change the tree meanwhile."""
    if target is not None and target.ended_at is not None:
        yield Obstacle(code="target_ended", reason=f"{target.name}已撤销或合并")
    if kind == "move" and target is not None:
        yield from _to_move(union, target)
    if kind == "merge" and target is not None:
        yield from _to_merge(session, union, target)
    if kind == "dissolve":
        yield from _to_dissolve(session, union)


def is_below(union: Union) -> ColumnElement[bool]:
    """The condition for unions below one that are not dissolved."""
    return Union.superior_ids.contains([union.union_id]) & Union.ended_at.is_(None)


def count_of(session: Session, *conditions: ColumnElement[bool]) -> int:
    """How many rows meet the conditions."""
    return session.scalar(select(func.count()).where(*conditions)) or 0


def _to_move(union: Union, target: Union) -> Iterator[Obstacle]:
    if target.union_id == union.superior_union_id:
        yield Obstacle(code="already_there", reason=f"{target.name}已是该工会的上级工会")
    elif _is_within(target, union):
        yield Obstacle(code="below_itself", reason="不能划转到该工会自身或其下级工会")
    elif union.kind not in KINDS_BELOW[target.kind]:
        yield Obstacle(code="kind_not_below_superior", reason=f"{target.name}下不能设这类工会")


def _to_merge(session: Session, union: Union, target: Union) -> Iterator[Obstacle]:
    if _is_within(target, union):
        yield Obstacle(code="below_itself", reason="不能并入该工会自身或其下级工会")
    elif union.kind != target.kind:
        yield Obstacle(code="kinds_differ", reason="只能并入同类工会")
    either_way = or_(
        and_(Transfer.from_union_id == union.union_id, Transfer.to_union_id == target.union_id),
        and_(Transfer.from_union_id == target.union_id, Transfer.to_union_id == union.union_id),
    )
    if count := count_of(session, either_way, Transfer.state == "requested"):
        yield Obstacle(code="has_transfers", reason=f"两家工会之间还有 {count} 件转会申请没有办结")
    yield from _imports(session, union)


def _to_dissolve(session: Session, union: Union) -> Iterator[Obstacle]:
    here = union.union_id
    if count := count_of(session, is_below(union)):
        yield Obstacle(code="has_subordinates", reason=f"还有 {count} 家下级工会，请先划转或撤销")
    if count := count_of(session, _is_of(union, Member.union_id), Member.left_at.is_(None)):
        yield Obstacle(code="has_members", reason=f"还有 {count} 名会员，请先转会或退会")
    if count := count_of(session, _is_of(union, Application.union_id), Application.state.in_(LIVE)):
        yield Obstacle(code="has_applications", reason=f"还有 {count} 人的办卡申请没有办结")
    either_side = or_(Transfer.from_union_id == here, Transfer.to_union_id == here)
    if count := count_of(session, either_side, Transfer.state == "requested"):
        yield Obstacle(code="has_transfers", reason=f"还有 {count} 件转会申请没有办结")
    yield from _imports(session, union)


def _is_of(union: Union, column: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """The condition for rows of a union, and of those that were merged into it and are still on their way."""
    merged = select(Union.union_id).where(Union.successor_union_id == union.union_id)
    return or_(column == union.union_id, column.in_(merged))


def _imports(session: Session, union: Union) -> Iterator[Obstacle]:
    if count_of(session, ImportJob.union_id == union.union_id, ImportJob.state.in_(_IMPORTING)):
        yield Obstacle(code="has_imports", reason="还有会员导入没有完成")


def _is_within(union: Union, other: Union) -> bool:
    return other.union_id in (union.union_id, *union.superior_ids)
