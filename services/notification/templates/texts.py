"""What each message tells: the values of its template's variables, and the page that an inbox message leads to."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from services.contracts.masks import mask_phone
from services.contracts.operations.overview import ReportedAlert
from services.contracts.operations.reports import Figures
from services.contracts.shared import REVOCATION_REASONS
from services.contracts.values import SHANGHAI, to_the_minute
from services.kit.schemas import required
from services.notification.models import Alert
from services.notification.templates.rendering import Message

_MOST_NAMED = 5
"""Most members that a message names; the others are only counted."""


def checks_failed(count: int) -> Message:
    """`count` checks of this hour failed; repeated checks of one member count separately."""
    return Message("checks_failed", {"人次": count}, "/pending?check_state=failed")


def checks_waiting(count: int) -> Message:
    """`count` checks of this hour had to wait for the registry."""
    return Message("checks_waiting", {"人次": count}, "/pending?check_state=waiting")


def batch_submitted(batch_no: str, total: int, outlet: str) -> Message:
    """A batch was submitted."""
    return Message("batch_submitted", {"批次": batch_no, "人数": total, "网点": outlet}, f"/batches/{batch_no}")


def cards_issued(batch_no: str, count: int) -> Message:
    """The bank issued cards of a batch."""
    return Message("cards_issued", {"批次": batch_no, "人数": count}, f"/batches/{batch_no}")


def cards_issued_late(batch_no: str, count: int) -> Message:
    """The bank issued cards of applications that had been released."""
    return Message("cards_issued_late", {"批次": batch_no, "人数": count}, f"/batches/{batch_no}")


def cards_refused(batch_no: str, count: int) -> Message:
    """The bank refused applications of a batch."""
    return Message("cards_refused", {"批次": batch_no, "人数": count}, f"/batches/{batch_no}?state=refused")


def revocation_requested(batch_no: str, union: str, reason_code: str | None = None) -> Message:
    """A subordinate union requests to revoke a batch."""
    why = f"（{REVOCATION_REASONS[reason_code]}）" if reason_code else ""
    values = {"工会": union, "批次": batch_no, "原因": why}
    return Message("revocation_requested", values, f"/revocations?batch_no={batch_no}")


def revocation_approved(
    batch_no: str, remark: str | None, represented: str | None = None, released: int = 0
) -> Message:
    """The superior union agreed, by a deputy of `represented`; `released` is how many members are free so far."""
    outcome = (
        f"{released} 人已释放，可在卡片信息管理重新勾选提交办卡。"
        if released
        else "银行尚未办结的人员将被释放；如银行此时已全部办结，批次不撤销。"
    )
    values = {"结果": outcome, **_decision(batch_no, remark, represented)}
    return Message("revocation_approved", values, f"/batches/{batch_no}")


def revocation_rejected(batch_no: str, remark: str | None, represented: str | None = None) -> Message:
    """The superior union did not agree, by a deputy of `represented`."""
    return Message("revocation_rejected", _decision(batch_no, remark, represented), f"/batches/{batch_no}")


def revocation_closed(batch_no: str) -> Message:
    """The bank has decided on all before the superior union decided."""
    return Message("revocation_closed", {"批次": batch_no}, f"/batches/{batch_no}")


def application_cancelled(member_no: str) -> Message:
    """A newer application ended because an earlier one was issued after all."""
    return Message("application_cancelled", {"会员编号": member_no}, "/members")


def correction_refused(member_no: str) -> Message:
    """An application ended because its corrected document is known as another member's."""
    return Message("correction_refused", {"会员编号": member_no}, "/members")


def members_refused(members: Sequence[tuple[str, str]]) -> Message:
    """Queued members could not be listed; `members` are their numbers with the reasons."""
    named = "、".join(f"会员 {member_no}（{reason}）" for member_no, reason in members[:_MOST_NAMED])
    all_of_them = f"等共 {len(members)} 人" if len(members) > _MOST_NAMED else ""
    return Message("members_refused", {"会员": named + all_of_them}, "/members?card_state=none")


def transfer_requested(union: str, member_no: str, due_on: date) -> Message:
    """To the old union's clerk: another union requests a member."""
    values = {"工会": union, "会员编号": member_no, "日期": due_on.isoformat()}
    return Message("transfer_requested", values, "/transfers?state=requested")


def transfer_ended(state: str, remark: str | None) -> Message:
    """To the union that requested a member, or to the old one whose decision is no longer needed."""
    if state == "withdrawn":
        return Message("transfer_withdrawn", {}, "/transfers", "transfer_ended")
    return Message("transfer_declined", {"原因": f"原因：{remark}" if remark else ""}, "/transfers", "transfer_ended")


def member_transferred_out(union: str, member_no: str, *, automatic: bool) -> Message:
    """To the old union's clerk."""
    why = "逾期未办，已自动" if automatic else "已"
    values = {"会员编号": member_no, "方式": why, "工会": union}
    return Message("member_transferred_out", values, "/transfers?direction=out")


def member_transferred_in(member_no: str) -> Message:
    """To the new union's clerk."""
    return Message("member_transferred_in", {"会员编号": member_no}, "/members")


def import_finished(accepted: int, rejected: int, import_id: str) -> Message:
    """An import of members ended."""
    advice = "请下载错误清单，修改后重新导入有误的行。" if rejected else "会员编号已生成，可以提交办卡。"
    values = {"成功人数": accepted, "错误行数": rejected, "说明": advice}
    return Message("import_finished", values, f"/members/imports/{import_id}")


def import_failed(import_id: str, failure: str | None, accepted: int) -> Message:
    """An import could not be read, or ended before all were registered."""
    cause = failure or "文件无法读取，请使用系统提供的模板重新填写后上传。"
    registered = f"已登记 {accepted} 人。" if accepted else "没有登记任何会员。"
    return Message("import_failed", {"已登记": registered, "原因": cause}, f"/members/imports/{import_id}")


def monthly_report(month: str, current: Figures, previous: Figures) -> Message:
    """The report of a month, for a union with everything below it."""
    year, number = month.split("-")
    values = {
        "年": year,
        "月": int(number),
        "会员数": f"{current.members:,}",
        "办卡率": f"，办卡率 {current.card_rate:.1%}" if current.card_rate is not None else "",
        "加入待办": f"{current.queued:,}",
        "提交办卡": f"{current.submitted:,}",
        "办卡成功": f"{current.issued:,}",
        "上月办卡成功": f"{previous.issued:,}",
        "银行退回": f"{current.refused:,}",
        "批次撤销": f"{current.revoked:,}",
        "办卡天数": f"；办卡天数中位数 {current.median_days} 天" if current.median_days is not None else "",
        "待提交": f"{current.waiting_submission:,}",
        "待银行反馈": f"{current.waiting_bank:,}",
    }
    return Message("monthly_report", values, f"/reports?first_month={month}&last_month={month}")


_ACCOUNT_CHANGES = {
    "link_sent": ("密码重置链接已发送", "已向您登记的手机号发送密码重置链接"),
    "password_set": ("密码已修改", "密码已重新设置"),
    "second_factor_on": ("动态口令已启用", "动态口令已启用"),
    "second_factor_off": ("动态口令已停用", "动态口令已停用"),
    "roles_changed": ("账号角色已修改", "角色已修改"),
    "phone_change_requested": ("申请更换账号手机号", "已申请更换登记的手机号，待另一名管理员确认"),
    "phone_changed": ("账号手机号已更换", "登记的手机号已更换，24小时内不能向新手机号发送密码重置链接"),
    "phone_change_ended": ("更换手机号申请已结束", "更换登记手机号的申请未获同意或已撤回，手机号不变"),
    "reopened": ("账号已重新启用", "已重新启用，此前的密码重置链接均已失效"),
    "unlocked": ("账号已解锁", "已解锁，可以重新登录"),
}
"""The title and text of each of ACCOUNT_CHANGES."""


def account_changed(change: str, changed_by: str | None, changed_at: datetime) -> Message:
    """To the holder of an account: its credentials, telephone or roles were changed."""
    title, happened = _ACCOUNT_CHANGES[change]
    values = {"变更标题": title, "时间": to_the_minute(changed_at), "操作人": _by(changed_by), "变更": happened}
    return Message("account_changed", values, "/account", f"account_{change}")


_OVERDUE = {
    "unchecked": ("{} 位待办会员未校验", "/pending?check_state=unchecked&overdue=true"),
    "failed": ("{} 位待办会员校验未通过", "/pending?check_state=failed&overdue=true"),
    "incomplete": ("{} 位待办会员信息未完善", "/pending?channel=special&complete=false&overdue=true"),
    "unprinted": ("{} 个办卡批次未打印清册", "/batches?register_state=unprinted&overdue=true"),
    "uncollected": ("{} 张由工会发放的卡未领取", "/cards?overdue=true&handed_out_by=union"),
    "bank_silent": ("{} 个办卡批次银行未反馈", "/batches?state=submitted&overdue=true"),
    "revocation": ("{} 件撤销申请待审核", "/revocations?state=requested&overdue=true"),
}
"""The text of each kind of overdue work, and the list that shows it."""


def work_overdue(works: Sequence[tuple[str, int]], of_subordinates: int) -> Message:
    """Overdue work by kind with the counts: of the own union, or of so many unions below."""
    told = "、".join(_OVERDUE[kind][0].format(count) for kind, count in works)
    link = _OVERDUE[works[0][0]][1]
    if of_subordinates:
        return Message("work_overdue_below", {"工会数": of_subordinates, "事项": told}, link)
    return Message("work_overdue", {"事项": told}, link)


def sms_work_overdue(works: Sequence[tuple[str, int]], of_subordinates: int) -> Message:
    """To those who can act, or to those above."""
    told = "、".join(_OVERDUE[kind][0].format(count).replace(" ", "") for kind, count in works)
    if of_subordinates:
        return Message("sms_work_overdue_below", {"工会数": of_subordinates, "事项": told}, name="work_overdue")
    return Message("sms_work_overdue", {"事项": told}, name="work_overdue")


def delegation_received(known: Mapping[str, Any]) -> Message:
    """To the deputy: from when to when it decides, for whom, and why; or that this ended early."""
    values = {"委托人": known["principal_name"], "期间": _period(known), "代审人": known["deputy_name"]}
    if known["change"] == "ended":
        ended = {**values, "操作人": known["changed_by_name"]}
        return Message("delegation_received_ended", ended, "/delegations", "delegation_ended")
    return Message("delegation_received", {**values, "原因": known["reason"]}, "/delegations")


def delegation_given(known: Mapping[str, Any]) -> Message:
    """To the reviewer, who did not do it: who stands in for it, or that this ended early."""
    values = {
        "委托人": known["principal_name"],
        "代审人": known["deputy_name"],
        "期间": _period(known),
        "操作人": known["changed_by_name"],
    }
    if known["change"] == "ended":
        return Message("delegation_given_ended", values, "/delegations", "delegation_ended")
    return Message("delegation_given", values, "/delegations")


def phone_change_waits(account_name: str, requested_by: str | None) -> Message:
    """To the administrators, one of whom, but not the requester, has to confirm."""
    return Message("phone_change_waits", {"申请人": requested_by, "账号": account_name}, "/phone-changes")


def account_union_merged(union: str, successor: str) -> Message:
    """To the holder of an account whose union was merged into another one."""
    return Message("account_union_merged", {"工会": union, "并入工会": successor}, "/account")


def sms_account_changed(account_name: str, change: str, changed_by: str | None) -> Message:
    """To the telephone numbers of an account, the old one too where it was changed."""
    values = {"账号": account_name, "变更": _ACCOUNT_CHANGES[change][1], "操作人": _by(changed_by)}
    return Message("sms_account_changed", values, name="account_changed")


def sms_cards_issued(batch_no: str, count: int) -> Message:
    """To the batch's contact."""
    return Message("sms_cards_issued", {"批次": batch_no, "人数": count}, name="cards_issued")


def sms_cards_refused(batch_no: str, count: int) -> Message:
    """To the batch's contact."""
    return Message("sms_cards_refused", {"批次": batch_no, "人数": count}, name="cards_refused")


def sms_member_queued(union: str) -> Message:
    """To a member whom a clerk has put on the pending list."""
    return Message("sms_member_queued", {"工会": union}, name="member_queued")


def sms_member_submitted(outlet: str) -> Message:
    """To a member whose application was submitted to the bank."""
    return Message("sms_member_submitted", {"网点": outlet}, name="member_submitted")


def sms_card_ready(outlet: str, address: str, phone: str) -> Message:
    """To a member whose card waits at an outlet; of a submission to an earlier release the outlet is not known."""
    at = f"（{address}，电话{phone}）" if outlet else ""
    return Message("sms_card_ready", {"网点": outlet or "申请时选择的网点", "地址和电话": at}, name="card_ready")


def sms_card_ready_at_union() -> Message:
    """To a member whose card its union hands out."""
    return Message("sms_card_ready_at_union", name="card_ready")


def sms_member_refused(reason: str) -> Message:
    """To a member whose application the bank refused."""
    return Message("sms_member_refused", {"原因": reason}, name="member_refused")


def sms_member_released() -> Message:
    """To a member whose batch was revoked."""
    return Message("sms_member_released", name="member_released")


def sms_collection_reminded(outlet_name: str, handed_out_by_union: bool) -> Message:
    """To a member whose card has waited long for collection."""
    place = "所在工会" if handed_out_by_union else outlet_name
    return Message("sms_collection_reminded", {"领卡处": place}, name="collection_reminded")


def sms_transfer_requested(union: str, due_on: date) -> Message:
    """To a member whom another union requests."""
    values = {"工会": union, "日期": f"{due_on.month}月{due_on.day}日"}
    return Message("sms_transfer_requested", values, name="transfer_requested")


def sms_revocation_decided(batch_no: str, approved: bool) -> Message:
    """To the applicant of the revocation."""
    template = "sms_revocation_approved" if approved else "sms_revocation_rejected"
    return Message(template, {"批次": batch_no}, name="revocation_decided")


def sms_revocation_closed(batch_no: str) -> Message:
    """To the applicant of the revocation."""
    return Message("sms_revocation_closed", {"批次": batch_no}, name="revocation_decided")


def sms_one_time_password(code: str, expires_at: datetime) -> Message:
    """To a member who signs in on the phone."""
    until = expires_at.astimezone(SHANGHAI).strftime("%H:%M")
    return Message("sms_one_time_password", {"验证码": code, "时间": until}, name="one_time_password")


def sms_reset_link(account_name: str, link: str, expires_at: datetime, made_by: str | None = None) -> Message:
    """To the holder of an account for which an administrator created a link to choose another password."""
    until = expires_at.astimezone(SHANGHAI).strftime("%H:%M")
    by = f"由管理员{made_by}" if made_by else ""
    values = {"账号": account_name, "操作人": by, "时间": until, "链接": link}
    return Message("sms_reset_link", values, name="reset_link")


def sms_first_link(account_name: str, link: str, expires_at: datetime) -> Message:
    """To the holder of a new account."""
    return Message("sms_first_link", {"账号": account_name, "时间": _at(expires_at), "链接": link}, name="reset_link")


def sms_phone_given_up(new_phone: str | None, changed_at: datetime, held_until: datetime) -> Message:
    """To a member's old number."""
    new = f"变更为{mask_phone(new_phone)}" if new_phone else "删除"
    values = {"时间": _at(changed_at), "变更": new, "解除时间": _at(held_until)}
    return Message("sms_phone_given_up", values, name="phone_changed")


def sms_phone_taken(changed_at: datetime, held_until: datetime) -> Message:
    """To a member's new number."""
    values = {"时间": _at(changed_at), "解除时间": _at(held_until)}
    return Message("sms_phone_taken", values, name="phone_changed")


_UNION_CHANGES = {"move": "划转至{}", "merge": "并入{}", "dissolve": "撤销"}
_WITHOUT_CHANGE = {"declined": "未获同意", "withdrawn": "已由申请人撤回", "expired": "已失效"}


def union_change(known: Mapping[str, Any]) -> Message:
    """To administrators: a change of the tree of unions waits to be confirmed, was carried out, or ended without."""
    change = _UNION_CHANGES[known["kind"]].format(known["target"])
    values = {"工会": known["union"], "变更": change, "结果": _WITHOUT_CHANGE.get(known["state"], "")}
    state = "ended" if known["state"] in _WITHOUT_CHANGE else known["state"]
    return Message(f"union_change_{state}", values, "/union-changes")


def alert_fires(alert: ReportedAlert | Alert) -> Message:
    """To operators: an alert of monitoring, with its runbook."""
    urgency = "紧急" if alert.severity == "page" else "一般"
    values = {"级别": urgency, "对象": _about(alert), "告警": alert.notice, "名称": alert.name}
    return Message("alert_fires", values, f"/runbooks/{alert.name}")


def alert_ended(alert: ReportedAlert | Alert) -> Message:
    """To operators: an alert is over."""
    at = _at(required(alert.ended_at))
    return Message("alert_ended", {"对象": _about(alert), "告警": alert.notice, "时间": at}, "/operations")


def _decision(batch_no: str, remark: str | None, represented: str | None) -> dict[str, str]:
    by_deputy = f"（代 {represented} 审核）" if represented else ""
    return {"批次": batch_no, "代审": by_deputy, "审核意见": f"审核意见：{remark}" if remark else ""}


def _by(changed_by: str | None) -> str:
    return f"管理员{changed_by}操作" if changed_by else "本人操作"


def _at(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%m月%d日%H:%M")


def _about(alert: ReportedAlert | Alert) -> str:
    about = " ".join(filter(None, (alert.subject, alert.instance)))
    return f"{about}：" if about else ""


def _period(known: Mapping[str, Any]) -> str:
    return f"{known['first_day']} 至 {known['last_day']}"
