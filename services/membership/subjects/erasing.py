"""The erasure of a member here: nothing of the person stays, the number and the states do."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from services.contracts.events.subjects import SubjectPart
from services.contracts.shared import ERASED_NAME
from services.contracts.values import SHANGHAI
from services.kit.data.bulk import count_changed
from services.membership.applications.application_states import CardState
from services.membership.models import (
    Application,
    ApplicationHistory,
    AuditEntry,
    CardStep,
    Disclosure,
    Enrolment,
    Member,
    MemberCorrection,
    SignedInSession,
    SubjectCopy,
    SubjectRequest,
    Transfer,
)

ERASED = "erased"
"""The affiliation of an erased member, which no list, search or sign-in looks at."""
_ONLY_NUMBERS = "仅以会员编号关联，不含个人身份信息"
_HANDLING = "个人信息处理记录保存不少于三年（个人信息保护法第五十六条），到期删除"
_LOGS = "操作日志依网络安全法第二十一条留存，按月到期后归档"
_PERSONAL: dict[str, Any] = {
    **dict.fromkeys(("document_expiry", "document_issued", "birth_date", "sex", "nationality", "address")),
    **dict.fromkeys(("phone", "phone_digest", "phone_changed_at", "replaced_phone", "card_no")),
    **dict.fromkeys(("retirement_category", "special_retirement_month")),
    "name": ERASED_NAME,
    "document_number": "",
    "document_end": b"",
    "affiliation": ERASED,
}


def why_not_erasable(session: Session, member: Member, days: int) -> list[str]:
    """What is in the way of an erasure, in Chinese; empty where the term has passed and nothing is open."""
    return list(_obstacles(session, member, days))


def erase(session: Session, member: Member) -> list[SubjectPart]:
    """Erases a locked member, and says what was erased and what stays, and why.

    The digest of the document becomes a random one, so that the person may be registered anew.
    """
    own = Application.member_id == member.member_id
    requests = select(SubjectRequest.request_id).where(SubjectRequest.member_id == member.member_id)
    steps = ApplicationHistory.application_id.in_(select(Application.application_id).where(own))
    parts = [
        SubjectPart(title="会员资料", rows=1),
        SubjectPart(
            title="此前的个人信息副本",
            rows=count_changed(session, delete(SubjectCopy).where(SubjectCopy.request_id.in_(requests))),
        ),
        *(
            SubjectPart(
                title=title, rows=count_changed(session, delete(model).where(model.member_id == member.member_id))
            )
            for title, model in (("手机登录会话", SignedInSession), ("信息更正记录", MemberCorrection))
        ),
        SubjectPart(
            title="卡片记录中的卡号",
            rows=count_changed(
                session,
                update(CardStep).where(CardStep.member_id == member.member_id).values(card_no=""),
            ),
        ),
        *(
            SubjectPart(title=title, rows=_count(session, model, model.member_id == member.member_id), kept_because=why)
            for title, model, why in (
                ("办卡申请", Application, _ONLY_NUMBERS),
                ("转会记录", Transfer, _ONLY_NUMBERS),
                ("参保信息", Enrolment, _ONLY_NUMBERS),
                ("号码查看记录", Disclosure, _HANDLING),
            )
        ),
        SubjectPart(
            title="操作日志",
            rows=_count(session, AuditEntry, AuditEntry.records.contains([f"member:{member.member_id}"])),
            kept_because=_LOGS,
        ),
    ]
    session.execute(update(ApplicationHistory).where(steps).values(note=None))
    for model, texts in ((Transfer, ("reason", "remark")), (Enrolment, ("reason",))):
        own_rows = update(model).where(model.member_id == member.member_id)
        session.execute(own_rows.values(dict.fromkeys(texts)).execution_options(synchronize_session=False))
    for name, value in _PERSONAL.items():
        setattr(member, name, value)
    member.document_digest, member.erased_at = secrets.token_bytes(16), datetime.now(UTC)
    return parts


def _obstacles(session: Session, member: Member, days: int) -> Iterator[str]:
    if member.left_at is None:
        yield "会员没有退会"
    elif (due := member.left_at + timedelta(days=days)) > datetime.now(UTC):
        yield f"退会后须保存 {days} 天，{due.astimezone(SHANGHAI):%Y-%m-%d}起可以删除"
    if member.card_state in (CardState.PENDING, CardState.SUBMITTED):
        yield "会员正在办卡"
    if member.card_state == CardState.ISSUED and member.card_status != "closed":
        yield "银行卡尚未销卡"
    if _count(session, Transfer, (Transfer.member_id == member.member_id) & (Transfer.state == "requested")):
        yield "有转会申请待办理"
    working = (SubjectRequest.member_id == member.member_id) & (SubjectRequest.state == "working")
    if _count(session, SubjectRequest, working & (SubjectRequest.kind == "copy")):
        yield "个人信息副本正在准备"


def _count(session: Session, model: Any, which: Any) -> int:
    return session.scalar(select(func.count()).select_from(model).where(which)) or 0
