"""Cards 卡片 for clerks and their superiors: who has not collected one, the list to sign, collection at the union."""

import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any
from uuid import UUID

from openpyxl import Workbook
from sqlalchemy import ColumnElement, Row, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session

from services.batching import overdue
from services.batching.cards import card_reports, collection_codes
from services.batching.cards.card_reports import Report
from services.batching.cards.card_states import CardStep, Status
from services.batching.cards.collection_list import TITLE, collection_list
from services.batching.models import IS_ISSUED, WAITING, Application, Batch, Branch, Card
from services.batching.pending.application_states import State
from services.contracts.masks import mask_card
from services.contracts.operations.batching import BatchOutlet
from services.contracts.operations.cards import (
    CardAnswer,
    CardCounts,
    CardFilter,
    CollectionListRequest,
    ExportCardsRequest,
    GetCardRequest,
    ListCardsAnswer,
    ListCardsRequest,
    MarkCollectedAnswer,
    MarkCollectedRequest,
)
from services.contracts.shared import BATCH_NO_BEGINNING
from services.contracts.values import SHANGHAI, today
from services.kit import clock
from services.kit.data.bulk import is_any_of
from services.kit.data.lists.name_search import begins_by_index_with, begins_with
from services.kit.data.lists.number_search import begins_or_ends_with
from services.kit.data.lists.ordering import in_order
from services.kit.data.lists.page_rows import page_of
from services.kit.documents.content_types import PDF, XLSX
from services.kit.documents.sheet_cells import heading_row, saved, text_row
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound, Problem, invalid_fields
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.paging import DEEPEST_ROW
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.kit.settings import read_settings

LARGEST_LIST = 2_000
"""Most members on one list to sign."""
LARGEST_EXPORT = 50_000
HEADINGS = (
    *("会员编号", "姓名", "工会", "批次编号", "卡号", "卡片状态", "制卡日期", "领卡日期", "等待天数"),
    *("经办网点", "网点地址", "短信提醒"),
)
STATUS_WORDS = {"made": "已制卡", "collected": "已领卡", "active": "已激活", "lost": "已挂失", "closed": "已销卡"}
_AT_ONCE = 500
_MOST_OF_A_RARE_NAME = 2_000
_MOST_BATCHES = 1_000
_CLOCKS_DIFFER = timedelta(days=1)
"""By how much a card may seem to be older than its batch."""


def list_cards(work: Work, request: ListCardsRequest) -> ListCardsAnswer:
    """A page of the cards in scope, those first that were made first unless the caller wants another order."""
    of_unions = _of_unions(work.caller, request)
    matching = _cards().where(of_unions, *_filters(work, request))
    in_order_of_time = matching.order_by(*in_order(request.sort, {"made_at": Card.made_at}, Card.application_id))
    rows, counted = page_of(work.session, in_order_of_time, request)
    return ListCardsAnswer.of(
        [_answer(row, work.caller) for row in rows],
        request,
        counted,
        counts=_counts(work.session, of_unions),
        overdue_days=read_settings(overdue.OverdueSettings).overdue_uncollected_days,
        collection_codes=collection_codes.are_printed(),
    )


def get_card(work: Work, request: GetCardRequest) -> CardAnswer:
    """The card of an application of the own union; raises NotFound, and Conflict `card_not_made` before it is made."""
    session, own = work.session, UUID(work.caller.union_id)
    of_application = _cards().where(Card.application_id == request.application_id, Card.union_id == own)
    if row := session.execute(of_application).one_or_none():
        return _answer(row, work.caller)
    application = session.get(Application, request.application_id)
    if application is None or application.union_id != own or application.state not in (State.QUEUED, State.SUBMITTED):
        raise NotFound()
    raise Conflict("card_not_made", "卡尚未制成", "银行反馈办卡成功后才能登记领卡。")


def export_cards(work: Work, request: ExportCardsRequest) -> FileAnswer:
    """The cards of a filter as a sheet, with masked numbers; raises Problem `export_too_large`."""
    matching = _cards().where(_of_unions(work.caller, request), *_filters(work, request))
    bounded = matching.with_only_columns(Card.application_id).limit(LARGEST_EXPORT + 1).subquery()
    found = work.session.scalar(select(func.count()).select_from(bounded)) or 0
    if found > LARGEST_EXPORT:
        advice = f"一次最多导出 {LARGEST_EXPORT} 人，请缩小查询范围。"
        raise Problem("export_too_large", 422, "符合条件的会员过多", advice)
    audit.record(work.session, new={"cards": found})
    book = Workbook(write_only=True)
    sheet = book.create_sheet("领卡名单")
    sheet.append(heading_row(sheet, HEADINGS))
    rows = work.session.execute(
        matching.order_by(Card.made_at, Card.application_id).execution_options(yield_per=_AT_ONCE)
    )
    for number, row in enumerate(rows):
        sheet.append(text_row(sheet, _texts(_answer(row, work.caller))))
        if number % _AT_ONCE == 0:
            time.sleep(0)
    return file_answer(f"领卡名单-{today():%Y%m%d}.xlsx", XLSX, saved(book))


def get_collection_list(work: Work, request: CollectionListRequest) -> FileAnswer:
    """The list to sign of the cards that the caller's union hands out; raises Conflict `nothing_to_collect`."""
    chosen = [] if request.batch_no is UNSET else [Application.batch_no == request.batch_no]
    matching = _cards().where(*_handed_out_by(work.caller), *chosen)
    in_order = matching.order_by(Application.member_no, Card.application_id).limit(LARGEST_LIST)
    rows = work.session.execute(in_order).all()
    if not rows:
        advice = "仅由工会发放且尚未领取的卡列入签收单；由银行网点发放的，请会员到网点领取。"
        raise Conflict("nothing_to_collect", "没有待发放的卡", advice)
    members = audit.references("member", (row.Card.member_id for row in rows))
    audit.record(work.session, *members, new={"batch_no": request.batch_no or None, "cards": len(rows)})
    recipients = [(row.Application.member_no, row.Application.name, mask_card(row.Card.card_no)) for row in rows]
    codes = [row.Card.application_id for row in rows] if collection_codes.are_printed() else []
    content = collection_list(work.caller.union_name or "", today().isoformat(), recipients, codes)
    return file_answer(f"{TITLE}-{today():%Y%m%d}.pdf", PDF, content)


def mark_collected(work: Work, request: MarkCollectedRequest) -> MarkCollectedAnswer:
    """Marks cards that the caller's union has handed out as collected; others are skipped.

    Raises Invalid for a day in the future, and Conflict `none_markable` where all would be skipped.
    """
    session, caller = work.session, work.caller
    happened_at = _moment_of(request.collected_on or today())
    _lock_batches(session, request.application_ids)
    rows = session.execute(
        _cards().where(*_handed_out_by(caller), is_any_of(Card.application_id, request.application_ids))
    ).all()
    if not rows:
        advice = "只能登记由本工会发放、尚未领取的卡；其余由银行反馈。"
        raise Conflict("none_markable", "所选的卡都不能登记为已领卡", advice)
    reports = [
        Report(
            card=row.Card.card_digest,
            step=CardStep.COLLECTED,
            happened_at=max(happened_at, row.Card.made_at),
            application_id=row.Card.application_id,
            reported_by=UUID(caller.account_id),
        )
        for row in rows
    ]
    cards = card_reports.load(session, reports)
    marked = sum([cards.apply(report) for report in reports])
    card_reports.store(session, cards)
    members = audit.references("member", (row.Card.member_id for row in rows))
    audit.record(session, *members, new={"marked": marked, "collected_on": request.collected_on or today()})
    return MarkCollectedAnswer(marked=marked, skipped=len(set(request.application_ids)) - marked)


def _moment_of(day: date) -> datetime:
    """Now for today, otherwise noon of the day; raises Invalid for a day in the future."""
    if day > today():
        raise invalid_fields({"collected_on": "领卡日期不能晚于今天"})
    return datetime.now(UTC) if day == today() else datetime.combine(day, time_of_day(12), SHANGHAI)


def _lock_batches(session: Session, application_ids: Sequence[UUID]) -> None:
    """Locks the batches of these applications, as all do who change a batch's applications or cards."""
    of_cards = select(Application.batch_no).where(is_any_of(Application.application_id, application_ids))
    locked = select(Batch.batch_no).where(Batch.batch_no.in_(of_cards)).order_by(Batch.batch_no)
    session.execute(locked.with_for_update(key_share=True)).all()


def _cards() -> Select[Card, Application, Batch, bool]:
    return (
        select(Card, Application, Batch, Branch.union_hands_out)
        .join(Application, Application.application_id == Card.application_id)
        .join(Batch, Batch.batch_no == Application.batch_no)
        .join(Branch, Branch.code == Batch.branch_code)
    )


def _of_unions(caller: Caller, request: CardFilter) -> ColumnElement[bool]:
    """The cards of the requested union, and if so requested of all below; never beyond the caller's scope."""
    own = UUID(caller.union_id)
    visible = _of_union(own) if caller.scope >= Scope.SUBORDINATES else Card.union_id == own
    if request.union_id is not UNSET:
        chosen = request.union_id
        return and_(visible, _of_union(chosen) if request.with_subordinates else Card.union_id == chosen)
    return and_(visible, Card.union_id == own) if request.with_subordinates is False else visible


def _of_union(union_id: UUID) -> ColumnElement[bool]:
    return or_(Card.union_id == union_id, Card.superior_ids.contains([union_id]))


def _handed_out_by(caller: Caller) -> tuple[ColumnElement[bool], ...]:
    return Card.union_id == caller.union_id, WAITING, Branch.union_hands_out.is_(True)


def _filters(work: Work, chosen: CardFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if chosen.status is not UNSET:
        conditions.append(Card.status == chosen.status)
    if chosen.overdue is not UNSET:
        is_late = overdue.is_overdue(overdue.CARDS)
        conditions.append(is_late if chosen.overdue else ~is_late)
    if chosen.handed_out_by is not UNSET:
        conditions.append(_is_handed_out_by(work.session, chosen.handed_out_by))
    if chosen.batch_no is not UNSET:
        conditions.append(_is_of_batches(work.session, chosen.batch_no))
    if chosen.name is not UNSET:
        conditions.append(_has_name(work, chosen, chosen.name))
    return conditions


def _is_of_batches(session: Session, part: str) -> ColumnElement[bool]:
    """Whether the batch's number begins or ends so.

    The batches are looked up here, so that PostgreSQL knows how many cards they have. If they are very many, it is told
    at least before which day none of the cards was made: it would read all older ones, the list begins with the oldest.
    """
    matching = begins_or_ends_with(Batch.batch_no, part, BATCH_NO_BEGINNING)
    numbers = session.scalars(select(Batch.batch_no).where(matching).limit(_MOST_BATCHES + 1)).all()
    if len(numbers) <= _MOST_BATCHES:
        return is_any_of(Application.batch_no, numbers)
    first = session.execute(select(func.min(Batch.submitted_at)).where(matching)).scalar_one()
    return and_(matching, Card.made_at >= first - _CLOCKS_DIFFER)


def _has_name(work: Work, chosen: CardFilter, beginning: str) -> ColumnElement[bool]:
    """Whether the holder's name begins so.

    In many unions those with a rare name are looked up first, in the index of names: the cards would all be read before
    a page of them is found, and PostgreSQL cannot tell how rare a name is. A common one fills a page soon.
    """
    is_named = begins_with(Application.name, beginning)
    if _is_of_one_union(work.caller, chosen):
        return is_named
    named = select(Application.application_id).where(IS_ISSUED, begins_by_index_with(Application.name, beginning))
    ids = work.session.scalars(named.limit(_MOST_OF_A_RARE_NAME + 1)).all()
    return is_named if len(ids) > _MOST_OF_A_RARE_NAME else is_any_of(Card.application_id, ids)


def _is_of_one_union(caller: Caller, chosen: CardFilter) -> bool:
    looks_down = caller.scope >= Scope.SUBORDINATES and chosen.with_subordinates is not False
    return not looks_down or (chosen.union_id is not UNSET and not chosen.with_subordinates)


def _is_handed_out_by(session: Session, whom: str) -> ColumnElement[bool]:
    """Whether unions or outlets hand out the cards of a batch's branch.

    The branches are looked up here, so that PostgreSQL knows how many batches each has: of cards that no branch leaves
    to the unions it would read all.
    """
    codes = session.scalars(select(Branch.code).where(Branch.union_hands_out.is_(whom == "union"))).all()
    return is_any_of(Batch.branch_code, codes) if codes else false()


def _counts(session: Session, of_unions: ColumnElement[bool]) -> CardCounts:
    is_late = overdue.is_overdue(overdue.CARDS).label("overdue")
    bounded = select(is_late).where(of_unions, WAITING).limit(DEEPEST_ROW)
    counted = bounded.subquery()
    row = session.execute(select(func.count(), func.count().filter(counted.c.overdue)).select_from(counted)).one()
    return CardCounts(waiting=row[0], overdue=row[1])


def _answer(row: Row[*tuple[Any, ...]], caller: Caller) -> CardAnswer:
    card: Card = row.Card
    batch: Batch = row.Batch
    is_waiting = card.status == Status.MADE
    return CardAnswer(
        application_id=card.application_id,
        member_id=card.member_id,
        member_no=row.Application.member_no,
        name=row.Application.name,
        union_id=card.union_id,
        union_name=card.union_name,
        batch_no=batch.batch_no,
        outlet=BatchOutlet(code=batch.outlet_code, name=batch.outlet_name, address=batch.outlet_address),
        card_no=mask_card(card.card_no),
        status=card.status,
        made_at=card.made_at,
        collected_at=card.collected_at,
        waiting_days=(clock.now() - card.made_at).days if is_waiting else None,
        overdue=is_waiting and overdue.is_card_overdue(card),
        reminded_at=None if card.unreachable else card.reminded_at,
        unreachable=card.unreachable,
        can_be_marked=bool(row.union_hands_out and is_waiting and str(card.union_id) == caller.union_id),
    )


def _texts(card: CardAnswer) -> tuple[str, ...]:
    reminded = f"{_day(card.reminded_at)}已提醒" if card.reminded_at else ""
    return (
        card.member_no,
        card.name,
        card.union_name,
        card.batch_no,
        card.card_no,
        STATUS_WORDS[card.status],
        _day(card.made_at),
        _day(card.collected_at),
        "" if card.waiting_days is None else str(card.waiting_days),
        card.outlet.name,
        card.outlet.address,
        "无手机号，未提醒" if card.unreachable else reminded,
    )


def _day(moment: datetime | None) -> str:
    return moment.astimezone(SHANGHAI).date().isoformat() if moment else ""
