"""Answers requests for a person's data: applications with what the bank said, consents, and the card."""

import secrets
from collections.abc import Iterable

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from services.batching.models import Application, Batch, BatchPerson, Card, CardReport, ConsentReceipt
from services.batching.pending.persons import NO_FACTS
from services.batching.places import let_nobody_move
from services.batching.register.registers import digest_now
from services.contracts.events.subjects import (
    MOST_ROWS,
    SUBJECT_ANSWERED,
    SubjectAnsweredData,
    SubjectPart,
    SubjectRequestedData,
    SubjectSheet,
)
from services.contracts.masks import mask_card
from services.contracts.shared import CARD_STEP_WORDS, ERASED_NAME
from services.contracts.values import to_the_minute
from services.kit.data.bulk import count_changed, is_any_of
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish

_STATES = {
    "queued": "待办中",
    "submitted": "办理中",
    "issued": "办理成功",
    "refused": "银行退回",
    "released": "已释放",
    "removed": "已移除",
}
_BASES = {"phone": "本人在手机上同意", "signed_form": "签署书面同意书"}
_ONLY_NUMBERS = "仅存编号、时间、结果和不能还原的卡号摘要（防止同一卡号重复使用）"
_PROOF = "须能证明已取得同意（个人信息保护法第十四条、第六十九条），含同意时的网络地址"


def subject_requested(session: Session, event: Event[SubjectRequestedData]) -> None:
    """Answers with all that is kept of the person, or erases it; numbers, states and consents stay."""
    data = event.data
    answer = _copy(session, data) if data.kind == "copy" else _erase(session, data)
    publish(session, SUBJECT_ANSWERED["batching"], answer)


def _copy(session: Session, data: SubjectRequestedData) -> SubjectAnsweredData:
    sheets = [
        SubjectSheet(
            title="银行办理",
            headings=["列入待办", "批次编号", "经办网点", "状态", "办结时间", "银行说明", "卡号"],
            rows=_applications(session, data),
        ),
        SubjectSheet(
            title="向银行提供信息的同意", headings=["时间", "同意书版本", "方式"], rows=_consents(session, data)
        ),
        SubjectSheet(title="卡片变动", headings=["时间", "事项", "来源"], rows=_reports(session, data)),
    ]
    parts = [SubjectPart(title=one.title, rows=len(one.rows)) for one in sheets]
    return SubjectAnsweredData(request_id=data.request_id, kind=data.kind, parts=parts, sheets=sheets)


def _applications(session: Session, data: SubjectRequestedData) -> list[list[str]]:
    found = session.execute(
        select(Application, Batch.outlet_name)
        .outerjoin(Batch, Batch.batch_no == Application.batch_no)
        .where(_own(data))
        .order_by(Application.listed_at.desc())
        .limit(MOST_ROWS)
    )
    return [
        [
            to_the_minute(one.listed_at),
            one.batch_no or "",
            outlet_name or "",
            _STATES[one.state],
            to_the_minute(one.decided_at),
            one.reason or one.reason_code or "",
            mask_card(one.card_no) if one.card_no else "",
        ]
        for one, outlet_name in found
    ]


def _consents(session: Session, data: SubjectRequestedData) -> list[list[str]]:
    own = select(ConsentReceipt).where(ConsentReceipt.member_id == data.member_id)
    receipts = session.scalars(own.order_by(ConsentReceipt.given_at.desc()).limit(MOST_ROWS))
    return [[to_the_minute(one.given_at), one.version, _BASES[one.basis]] for one in receipts]


def _reports(session: Session, data: SubjectRequestedData) -> list[list[str]]:
    of_person = CardReport.application_id.in_(select(Application.application_id).where(_own(data)))
    reports = session.scalars(
        select(CardReport).where(of_person).order_by(CardReport.happened_at.desc()).limit(MOST_ROWS)
    )
    return [
        [to_the_minute(one.happened_at), CARD_STEP_WORDS[one.step], "工会登记" if one.reported_by else "银行反馈"]
        for one in reports
    ]


def _erase(session: Session, data: SubjectRequestedData) -> SubjectAnsweredData:
    let_nobody_move(session)
    own = select(Application.application_id).where(_own(data))
    batch_nos = set(session.scalars(select(Application.batch_no).where(_own(data), Application.batch_no.is_not(None))))
    _lock(session, batch_nos)
    erased = count_changed(
        session,
        update(Application)
        .where(_own(data), Application.name != ERASED_NAME)
        .values(
            name=ERASED_NAME,
            document_number="",
            document_digest=secrets.token_bytes(16),
            other_facts=NO_FACTS,
            **dict.fromkeys(("document_expiry", "nationality", "channel_reason", "channel_note", "findings", "reason")),
        ),
    )
    session.execute(update(Application).where(_own(data), Application.card_no.is_not(None)).values(card_no=""))
    persons = count_changed(
        session,
        update(BatchPerson)
        .where(BatchPerson.application_id.in_(own), BatchPerson.name != ERASED_NAME)
        .values(
            name=ERASED_NAME, document_number="", **dict.fromkeys(("document_expiry", "nationality", "channel_reason"))
        ),
    )
    cards = count_changed(session, update(Card).where(Card.application_id.in_(own)).values(card_no=""))
    renewed = CardReport.application_id.in_(own) & CardReport.new_card_no.is_not(None)
    session.execute(update(CardReport).where(renewed).values(new_card_no=""))
    contacts = count_changed(
        session,
        update(Batch)
        .where(is_any_of(Batch.batch_no, batch_nos), Batch.personal)
        .values(contact_name=ERASED_NAME, contact_phone=""),
    )
    for batch in session.scalars(select(Batch).where(is_any_of(Batch.batch_no, batch_nos)).order_by(Batch.batch_no)):
        batch.erased_register_hash = digest_now(session, batch)
    consents = select(func.count()).select_from(ConsentReceipt).where(ConsentReceipt.member_id == data.member_id)
    return SubjectAnsweredData(
        request_id=data.request_id,
        kind=data.kind,
        parts=[
            SubjectPart(title="办卡申请中的个人资料", rows=erased),
            SubjectPart(title="办卡清册中的个人资料", rows=persons),
            SubjectPart(title="个人申请中的联系人", rows=contacts),
            SubjectPart(title="银行卡号", rows=cards),
            SubjectPart(title="办卡申请", rows=len(session.scalars(own).all()), kept_because=_ONLY_NUMBERS),
            SubjectPart(title="向银行提供信息的同意", rows=session.scalar(consents) or 0, kept_because=_PROOF),
        ],
    )


def _own(data: SubjectRequestedData) -> ColumnElement[bool]:
    return is_any_of(Application.application_id, data.application_ids)


def _lock(session: Session, batch_nos: Iterable[str | None]) -> None:
    """Locks the batches, as all do who change a batch's applications."""
    locked = select(Batch.batch_no).where(is_any_of(Batch.batch_no, batch_nos)).order_by(Batch.batch_no)
    session.execute(locked.with_for_update(key_share=True)).all()
