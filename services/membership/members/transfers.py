"""Transfers 会员转会: a member moves to another union, with number and card, by both unions' agreement or by time.

A queued application of the old union is cancelled by batching, as the new union queues the member anew; a submitted one
goes on, and its card is the member's.
"""

from datetime import UTC, date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased
from uuid_utils.compat import uuid7

from services.contracts.events.membership import (
    MEMBER_TRANSFERRED,
    TRANSFER_ENDED,
    TRANSFER_REQUESTED,
    MemberTransferredData,
    TransferEndedData,
    TransferredPerson,
    TransferRequestedData,
)
from services.contracts.masks import mask_document
from services.contracts.operations.membership.transfers import (
    REQUEST_TRANSFER,
    DeclineTransferRequest,
    ListTransfersAnswer,
    ListTransfersRequest,
    RequestTransferRequest,
    TransferAnswer,
    TransferRequest,
)
from services.contracts.overdue import today
from services.contracts.rules.working_days import due_on
from services.kit.data.lists.page_rows import page_of
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, required
from services.kit.settings import read_settings, settings_class
from services.membership.event_builders import union_facts
from services.membership.facts import publish_changed
from services.membership.members.member_documents import document_digest
from services.membership.members.number_searches import count
from services.membership.models import Member, Transfer, Union
from services.membership.unions import require_open

AT_ONCE = 100
"""Most transfers that one transaction accepts because their time has passed."""
_OLD, _NEW = aliased(Union, name="old_union"), aliased(Union, name="new_union")
_OPEN = Transfer.state == "requested"


@settings_class
class TransferSettings:
    """How long the old union has to decide on a transfer."""

    transfer_consent_days: int = 10
    """Choice: after so many working days without a decision the member is transferred."""


def request_transfer(work: Work, request: RequestTransferRequest) -> TransferAnswer:
    """Requests a member of another union; the old union is notified, and the member by SMS.

    Who has left the old union comes at once, without its consent.

    Raises NotFound where no member has this document and name, Conflict `already_member` for the caller's own member,
    Conflict `transfer_open` where another request waits, and `union_ended`.
    """
    session, caller = work.session, work.caller
    require_open(session, UUID(caller.union_id))
    count(work.database, caller, {"document_number": request.document_number}, REQUEST_TRANSFER.name)
    digest = document_digest(request.document_type, request.document_number)
    member = session.scalar(select(Member).where(Member.document_digest == digest).with_for_update())
    if member is None or member.name != request.name or member.member_no is None:
        raise NotFound(title="未找到姓名与证件号码相符的会员", detail="请核对姓名、证件类型和证件号码。")
    old = session.get_one(Union, member.union_id, populate_existing=True)
    from_union_id = old.successor_union_id or old.union_id
    if str(from_union_id) == caller.union_id:
        raise Conflict("already_member", "该会员已在本工会", "无需转会，请在卡片信息管理中查询。")
    transfer = Transfer(
        transfer_id=uuid7(),
        member_id=member.member_id,
        from_union_id=from_union_id,
        to_union_id=UUID(caller.union_id),
        affiliation=request.affiliation,
        reason=request.reason,
        requested_by=UUID(caller.account_id),
        requested_at=datetime.now(UTC),
        due_on=due_on(today(), read_settings(TransferSettings).transfer_consent_days),
    )
    _add(session, transfer)
    audit.record(session, ("transfer", transfer.transfer_id), new={"due_on": transfer.due_on, "reason": request.reason})
    if member.left_at is None:
        _ask_for_consent(session, transfer, member)
    else:
        _accept(session, transfer, None)
    return _answer_of(session, caller, transfer.transfer_id)


def list_transfers(work: Work, request: ListTransfersRequest) -> ListTransfersAnswer:
    """A page of the transfers into and out of the unions in scope, waiting ones first, then the newest."""
    matching = _transfers().where(_visible_to(work.caller, request.direction or None))
    if request.state is not UNSET:
        matching = matching.where(Transfer.state == request.state)
    in_order = matching.order_by(_OPEN.desc(), Transfer.requested_at.desc(), Transfer.transfer_id)
    rows, counted = page_of(work.session, in_order, request)
    return ListTransfersAnswer.of([_answer(row, work.caller) for row in rows], request, counted)


def accept_transfer(work: Work, request: TransferRequest) -> TransferAnswer:
    """The old union agrees: the member is the new union's. Raises NotFound, Conflict `transfer_ended`."""
    transfer = _waiting(work, request.transfer_id, Transfer.from_union_id)
    _accept(work.session, transfer, UUID(work.caller.account_id))
    return _answer_of(work.session, work.caller, transfer.transfer_id)


def decline_transfer(work: Work, request: DeclineTransferRequest) -> TransferAnswer:
    """The old union does not agree: the member stays. Raises NotFound, Conflict `transfer_ended`."""
    transfer = _waiting(work, request.transfer_id, Transfer.from_union_id)
    _end(work, transfer, "declined", request.remark)
    return _answer_of(work.session, work.caller, transfer.transfer_id)


def withdraw_transfer(work: Work, request: TransferRequest) -> TransferAnswer:
    """The new union withdraws its request. Raises NotFound, Conflict `transfer_ended`."""
    transfer = _waiting(work, request.transfer_id, Transfer.to_union_id)
    _end(work, transfer, "withdrawn", None)
    return _answer_of(work.session, work.caller, transfer.transfer_id)


def accept_overdue(session: Session, day: date | None = None) -> int:
    """Accepts up to AT_ONCE transfers on which nobody decided in time; returns how many."""
    overdue = (
        select(Transfer)
        .where(_OPEN, Transfer.due_on < (day or today()))
        .order_by(Transfer.due_on)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    transfers = session.scalars(overdue).all()
    for transfer in transfers:
        _accept(session, transfer, None)
    return len(transfers)


def publish_transferred(
    session: Session, transfer: Transfer, member: Member, new: Union, recipient: str | None = None
) -> None:
    """Publishes the newest move of a member, to one consumer alone if it is named."""
    data = MemberTransferredData(
        transfer_id=transfer.transfer_id,
        member_id=member.member_id,
        member_no=required(member.member_no),
        from_union_id=transfer.from_union_id,
        union=union_facts(new),
        version=member.transfers,
        transferred_at=required(transfer.decided_at),
        automatic=transfer.decided_by is None,
    )
    publish(session, MEMBER_TRANSFERRED, data, recipient=recipient)


def _add(session: Session, transfer: Transfer) -> None:
    session.add(transfer)
    try:
        session.flush()
    except IntegrityError as waiting:
        raise Conflict("transfer_open", "该会员已有转会申请在办理", "请等待其办结后再申请。") from waiting


def _ask_for_consent(session: Session, transfer: Transfer, member: Member) -> None:
    data = TransferRequestedData(
        transfer_id=transfer.transfer_id,
        from_union_id=transfer.from_union_id,
        union=union_facts(session.get_one(Union, transfer.to_union_id)),
        member_id=member.member_id,
        member_no=required(member.member_no),
        due_on=transfer.due_on,
        person=TransferredPerson(phone=member.phone),
    )
    publish(session, TRANSFER_REQUESTED, data)


def _waiting(work: Work, transfer_id: UUID, side: InstrumentedAttribute[UUID]) -> Transfer:
    """The waiting transfer, locked, on whose side the caller's union is."""
    audit.record(work.session, ("transfer", transfer_id))
    transfer = work.session.scalar(
        select(Transfer).where(Transfer.transfer_id == transfer_id, side == work.caller.union_id).with_for_update()
    )
    if transfer is None:
        raise NotFound(title="未找到该转会申请")
    if transfer.state != "requested":
        raise Conflict("transfer_ended", "该转会申请已办结", "请刷新后查看。")
    return transfer


def _accept(session: Session, transfer: Transfer, decided_by: UUID | None) -> None:
    """Moves the member; `decided_by` is None where the time has passed."""
    member = session.get_one(Member, transfer.member_id, with_for_update=True, populate_existing=True)
    new = session.get_one(Union, transfer.to_union_id)
    transfer.state, transfer.decided_by, transfer.decided_at = "accepted", decided_by, datetime.now(UTC)
    member.union_id, member.affiliation = transfer.to_union_id, transfer.affiliation
    member.transfers += 1
    member.left_at = member.left_because = None
    publish_changed(session, member)
    audit.record(
        session,
        ("transfer", transfer.transfer_id),
        ("member", member.member_id),
        old={"union_id": transfer.from_union_id},
        new={"union_id": transfer.to_union_id},
    )
    publish_transferred(session, transfer, member, new)


def _end(work: Work, transfer: Transfer, state: str, remark: str | None) -> None:
    transfer.state, transfer.remark = state, remark
    transfer.decided_by, transfer.decided_at = UUID(work.caller.account_id), datetime.now(UTC)
    audit.record(work.session, ("transfer", transfer.transfer_id), new={"state": state, "remark": remark})
    data = TransferEndedData(
        transfer_id=transfer.transfer_id,
        from_union_id=transfer.from_union_id,
        to_union_id=transfer.to_union_id,
        state=state,
        remark=remark,
    )
    publish(work.session, TRANSFER_ENDED, data)


def _transfers() -> Select[Transfer, Member, Union, Union]:
    return (
        select(Transfer, Member, _OLD, _NEW)
        .join(Member, Member.member_id == Transfer.member_id)
        .join(_OLD, _OLD.union_id == Transfer.from_union_id)
        .join(_NEW, _NEW.union_id == Transfer.to_union_id)
    )


def _visible_to(caller: Caller, direction: str | None = None) -> ColumnElement[bool]:
    sides = {"in": _NEW, "out": _OLD}
    return or_(*(_is_in_scope(caller, side) for name, side in sides.items() if direction in (None, name)))


def _is_in_scope(caller: Caller, union: type[Union]) -> ColumnElement[bool]:
    own = union.union_id == caller.union_id
    if caller.scope >= Scope.SUBORDINATES:
        return or_(own, union.superior_ids.contains([UUID(caller.union_id)]))
    return own


def _answer_of(session: Session, caller: Caller, transfer_id: UUID) -> TransferAnswer:
    session.flush()
    row = session.execute(_transfers().where(Transfer.transfer_id == transfer_id)).one()
    return _answer(row, caller)


def _answer(row: Row[Transfer, Member, Union, Union], caller: Caller) -> TransferAnswer:
    transfer, member, old, new = row
    is_known = transfer.state == "accepted" or _is_seen_by(caller, old)
    is_open = transfer.state == "requested"
    return TransferAnswer(
        transfer_id=transfer.transfer_id,
        state=transfer.state,
        name=member.name,
        document_number=mask_document(member.document_number),
        member_id=member.member_id if is_known else None,
        member_no=member.member_no if is_known else None,
        card_state=member.card_state if is_known else None,
        from_union=old.name if is_known else None,
        to_union=new.name,
        reason=transfer.reason,
        requested_at=transfer.requested_at,
        due_on=transfer.due_on,
        decided_at=transfer.decided_at,
        is_automatic=transfer.state == "accepted" and transfer.decided_by is None,
        remark=transfer.remark,
        can_decide=is_open and "clerk" in caller.roles and str(old.union_id) == caller.union_id,
        can_withdraw=is_open and "clerk" in caller.roles and str(new.union_id) == caller.union_id,
    )


def _is_seen_by(caller: Caller, union: Union) -> bool:
    superiors = union.superior_ids if caller.scope >= Scope.SUBORDINATES else []
    return UUID(caller.union_id) in (union.union_id, *superiors)
