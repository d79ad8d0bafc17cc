"""Texts of messages: each says what happened, fits its place, and has a link."""

from datetime import UTC, date, datetime

import pytest

from services.contracts.events.membership import ACCOUNT_CHANGES
from services.contracts.operations.overview import ReportedAlert
from services.contracts.operations.reports import Figures
from services.notification.templates import texts
from services.notification.templates.catalogue import KINDS, SIGNATURE, Kind, Text
from services.notification.templates.rendering import Message, default_of, rendered

BATCH_NO = "cbc81310000000000001X20261124001"
MESSAGES = {
    "checks_failed": texts.checks_failed(3),
    "checks_waiting": texts.checks_waiting(3),
    "batch_submitted": texts.batch_submitted(BATCH_NO, 3, "工商银行国华支行"),
    "cards_issued": texts.cards_issued(BATCH_NO, 3),
    "cards_issued_late": texts.cards_issued_late(BATCH_NO, 3),
    "cards_refused": texts.cards_refused(BATCH_NO, 3),
    "revocation_requested": texts.revocation_requested(BATCH_NO, "上海建朗信息科技有限公司工会"),
    "revocation_approved": texts.revocation_approved(BATCH_NO, "同意"),
    "revocation_rejected": texts.revocation_rejected(BATCH_NO, "材料已送银行"),
    "revocation_closed": texts.revocation_closed(BATCH_NO),
    "application_cancelled": texts.application_cancelled("0070258040"),
    "members_refused": texts.members_refused([("0070258040", "证件号码校验位不正确")]),
    "transfer_requested": texts.transfer_requested("上海长宁电子有限公司工会", "0070258040", date(2026, 12, 8)),
    "transfer_ended": texts.transfer_ended("declined", "会员未离职"),
    "member_transferred_out": texts.member_transferred_out("上海长宁电子有限公司工会", "0070258040", automatic=True),
    "member_transferred_in": texts.member_transferred_in("0070258040"),
    "import_finished": texts.import_finished(8, 2, "0192"),
    "import_failed": texts.import_failed("0192", "文件设有密码。", 0),
    "work_overdue": texts.work_overdue([("unchecked", 3), ("bank_silent", 1)], 0),
    "work_overdue_below": texts.work_overdue([("revocation", 2)], 4),
    "phone_change_waits": texts.phone_change_waits("jianlang", "吴强（yangpu-admin）"),
    **{
        f"account_{change}": texts.account_changed(
            change, "吴强（yangpu-admin）", datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
        )
        for change in ACCOUNT_CHANGES
    },
}
TELL_OF_DELEGATION = (texts.delegation_received, texts.delegation_given)
OTP = texts.sms_one_time_password("493027", datetime(2026, 11, 24, 2, 5, tzinfo=UTC))
SMS = (
    texts.sms_cards_issued(BATCH_NO, 3),
    texts.sms_cards_refused(BATCH_NO, 3),
    texts.sms_collection_reminded("中国工商银行股份有限公司上海市杨浦区五角场国华广场支行", handed_out_by_union=False),
    texts.sms_collection_reminded("工商银行国华支行", handed_out_by_union=True),
    texts.sms_transfer_requested("上海建朗信息科技有限公司工会", date(2026, 12, 8)),
    texts.sms_revocation_decided(BATCH_NO, approved=True),
    texts.sms_revocation_decided(BATCH_NO, approved=False),
    texts.sms_revocation_closed(BATCH_NO),
    *(texts.sms_account_changed("a" * 40, change, f"王建国（{'b' * 20}）") for change in ACCOUNT_CHANGES),
    texts.sms_work_overdue([(kind, 12) for kind in ("unchecked", "failed", "incomplete")], 0),
    texts.sms_work_overdue([("revocation", 12)], 12),
    texts.sms_member_queued("上海建朗信息科技有限公司工会"),
    texts.sms_member_submitted("工商银行国华支行"),
    texts.sms_card_ready("中国工商银行五角场国华广场支行", "国定路 335 号 1 幢底层", "021-55551234"),
    texts.sms_card_ready_at_union(),
    texts.sms_member_refused("身份信息核验不符"),
    texts.sms_member_released(),
    texts.sms_phone_given_up("13911112222", *(datetime(2026, 11, 24, 2, 5, tzinfo=UTC),) * 2),
    texts.sms_phone_taken(*(datetime(2026, 11, 24, 2, 5, tzinfo=UTC),) * 2),
    OTP,
)
UNTIL = datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
PEOPLE = {
    "principal_name": "王强",
    "deputy_name": "李敏",
    "changed_by_name": "吴强",
    "reason": "休假",
    "first_day": "2026-12-01",
    "last_day": "2026-12-05",
}
FIGURES = Figures(**dict.fromkeys(Figures.__dataclass_fields__, 1))
ALERT = ReportedAlert(
    fingerprint="f1",
    name="QueueGrows",
    severity="page",
    subject="batching.members_queued",
    instance="",
    notice="该队列持续积压。",
    started_at=UNTIL,
    ended_at=UNTIL,
)
OTHERS = (
    texts.correction_refused("0070258040"),
    texts.transfer_ended("withdrawn", None),
    texts.account_union_merged("某工会", "另一工会"),
    *(
        texts.union_change({"state": state, "kind": kind, "union": "某工会", "target": "杨浦区总工会"})
        for state in ("requested", "done", "declined", "withdrawn", "expired")
        for kind in ("move", "merge", "dissolve")
    ),
    texts.monthly_report("2026-11", FIGURES, FIGURES),
    *(tell({**PEOPLE, "change": change}) for tell in TELL_OF_DELEGATION for change in ("made", "ended")),
    texts.sms_reset_link("jianlang", "https://zzgl.shzgh.org/reset#x", UNTIL, "吴强"),
    texts.sms_first_link("jianlang", "https://zzgl.shzgh.org/reset#x", UNTIL),
    texts.alert_fires(ALERT),
    texts.alert_ended(ALERT),
)


def title_of(message: Message) -> str:
    return rendered(default_of(KINDS[message.template]), KINDS[message.template], message.values)[0]


def body_of(message: Message) -> str:
    return rendered(default_of(KINDS[message.template]), KINDS[message.template], message.values)[1]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.code)
def test_a_template_has_only_variables_that_are_listed_and_all_that_are_needed(kind: Kind) -> None:
    used = {name for text in (kind.title, kind.body) for name in Text(text).get_identifiers()}
    assert Text(kind.title).is_valid()
    assert Text(kind.body).is_valid()
    assert used <= set(kind.variables)
    assert set(kind.needed) <= set(Text(kind.body).get_identifiers())
    assert bool(kind.title) == (kind.way == "inbox")


@pytest.mark.parametrize("message", [*MESSAGES.values(), *SMS, *OTHERS], ids=lambda message: message.template)
def test_a_message_brings_the_values_of_all_variables_of_its_template(message: Message) -> None:
    assert message.values.keys() >= set(KINDS[message.template].variables)


def test_every_kind_of_message_is_told_by_something() -> None:
    assert {message.template for message in (*MESSAGES.values(), *SMS, *OTHERS)} == set(KINDS)


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_notice_has_its_kind_a_short_title_and_a_page_to_go_to(kind: str) -> None:
    message = MESSAGES[kind]
    assert message.kind == kind
    assert 0 < len(title_of(message)) <= 20
    assert message.link is not None
    assert message.link.startswith("/")


@pytest.mark.parametrize("kind", ["batch_submitted", "cards_issued", "cards_refused"])
def test_news_of_a_batch_name_it_and_how_many_it_concerns(kind: str) -> None:
    assert BATCH_NO in body_of(MESSAGES[kind])
    assert "3 人" in body_of(MESSAGES[kind])


def test_members_who_were_refused_are_named_with_their_reasons_up_to_five_of_them() -> None:
    reason = "证件号码校验位不正确"
    assert f"会员 0070258040（{reason}）" in body_of(MESSAGES["members_refused"])
    body = body_of(texts.members_refused([(f"007025804{number}", reason) for number in range(7)]))
    assert (body.count(reason), "等共 7 人" in body) == (5, True)


def test_a_decision_carries_the_reviewers_opinion_where_there_is_one() -> None:
    assert body_of(MESSAGES["revocation_rejected"]).endswith("审核意见：材料已送银行")
    assert "审核意见" not in body_of(texts.revocation_approved(BATCH_NO, None))


def test_an_import_says_what_to_do_with_bad_rows_only_where_there_are_some() -> None:
    assert "错误清单" in body_of(MESSAGES["import_finished"])
    assert "错误清单" not in body_of(texts.import_finished(8, 0, "0192"))


@pytest.mark.parametrize("message", SMS, ids=lambda message: message.template)
def test_an_sms_is_signed_and_fits_into_two_parts(message: Message) -> None:
    assert body_of(message).startswith(SIGNATURE)
    assert len(body_of(message)) <= 134


def test_a_transfer_says_what_happens_without_a_decision_and_why_it_was_declined() -> None:
    assert "2026-12-08 前办理；逾期未办的，会员自动转入" in body_of(MESSAGES["transfer_requested"])
    assert "原因：会员未离职" in body_of(MESSAGES["transfer_ended"])
    assert "逾期未办，已自动转入" in body_of(MESSAGES["member_transferred_out"])
    assert "12月8日前办结" in body_of(texts.sms_transfer_requested("某工会", date(2026, 12, 8)))


def test_a_reminder_says_where_the_card_waits() -> None:
    assert "到工商银行国华支行领卡" in body_of(
        texts.sms_collection_reminded("工商银行国华支行", handed_out_by_union=False)
    )
    assert "到所在工会领卡" in body_of(texts.sms_collection_reminded("工商银行国华支行", handed_out_by_union=True))


def test_a_one_time_password_says_until_when_it_counts_in_shanghais_time() -> None:
    assert "10:05前有效" in body_of(OTP)
    assert "493027" in body_of(OTP)


def test_a_change_of_an_account_is_notified_with_who_made_it() -> None:
    at = datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
    by_head = body_of(texts.account_changed("roles_changed", "吴强（yangpu-admin）", at))
    assert by_head.startswith("2026-11-24 10:05，管理员吴强（yangpu-admin）操作：您的账号角色已修改。")
    assert "本人操作：您的账号密码已重新设置" in body_of(texts.account_changed("password_set", None, at))
