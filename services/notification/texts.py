"""All texts of inbox messages and SMS: what happened, and what to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from services.contracts.masks import mask_phone
from services.contracts.operations.overview import ReportedAlert
from services.contracts.operations.reports import Figures
from services.contracts.shared import REVOCATION_REASONS
from services.kit.schemas import required
from services.notification.models import Alert

_SHANGHAI = timezone(timedelta(hours=8))
SIGNATURE = "【申工社】"
_MOST_NAMED = 5
"""Most members that a message names; the others are only counted."""


@dataclass(frozen=True)
class MessageText:
    """An inbox message: its kind (stable, for programs), title, body, and the page it leads to."""

    kind: str
    title: str
    body: str
    link: str | None


def checks_failed(count: int) -> MessageText:
    """`count` checks of this hour failed; repeated checks of one member count separately."""
    body = f"本小时内共 {count} 人次未通过系统校验。请在待办会员列表查看原因，更正信息后重新校验，或移除后再提交办卡。"
    return MessageText("checks_failed", "有会员未通过系统校验", body, "/pending?check_state=failed")


def checks_waiting(count: int) -> MessageText:
    """`count` checks of this hour had to wait for the registry."""
    body = f"本小时内共 {count} 人次的退休状态暂时无法核实，系统将自动继续校验，无需重新提交。"
    return MessageText("checks_waiting", "系统校验等待中", body, "/pending?check_state=waiting")


def batch_submitted(batch_no: str, total: int, outlet: str) -> MessageText:
    """A batch was submitted."""
    body = f"批次 {batch_no} 共 {total} 人已提交至{outlet}。请打印清册，备齐办卡材料后到网点办理。"
    return MessageText("batch_submitted", "办卡批次已提交", body, f"/batches/{batch_no}")


def cards_issued(batch_no: str, count: int) -> MessageText:
    """The bank issued cards of a batch."""
    body = f"批次 {batch_no} 新增 {count} 人办卡成功。请通知会员携带本人证件原件到网点领卡。"
    return MessageText("cards_issued", "银行反馈：办卡成功", body, f"/batches/{batch_no}")


def cards_issued_late(batch_no: str, count: int) -> MessageText:
    """The bank issued cards of applications that had been released."""
    body = f"批次 {batch_no} 撤销后，银行仍为 {count} 人办卡成功，会员状态已更新为已办卡。请通知会员到网点领卡。"
    return MessageText("cards_issued_late", "撤销后银行仍办卡成功", body, f"/batches/{batch_no}")


def cards_refused(batch_no: str, count: int) -> MessageText:
    """The bank refused applications of a batch."""
    body = f"批次 {batch_no} 有 {count} 人被银行退回。请查看退回原因，更正信息后在卡片信息管理重新提交办卡。"
    return MessageText("cards_refused", "银行反馈：办卡退回", body, f"/batches/{batch_no}?state=refused")


def revocation_requested(batch_no: str, union: str, reason_code: str | None = None) -> MessageText:
    """A subordinate union requests to revoke a batch."""
    why = f"（{REVOCATION_REASONS[reason_code]}）" if reason_code else ""
    body = f"{union}申请撤销批次 {batch_no}{why}，请审核。"
    return MessageText("revocation_requested", "撤销办卡批次申请待审核", body, f"/revocations?batch_no={batch_no}")


def revocation_approved(
    batch_no: str, remark: str | None, represented: str | None = None, released: int = 0
) -> MessageText:
    """The superior union agreed, by a deputy of `represented`; `released` is how many members are free so far."""
    outcome = (
        f"{released} 人已释放，可在卡片信息管理重新勾选提交办卡。"
        if released
        else "银行尚未办结的人员将被释放；如银行此时已全部办结，批次不撤销。"
    )
    body = f"批次 {batch_no} 的撤销申请审核通过{_in_name_of(represented)}，{outcome}{_opinion(remark)}"
    return MessageText("revocation_approved", "撤销办卡批次申请审核通过", body, f"/batches/{batch_no}")


def revocation_rejected(batch_no: str, remark: str | None, represented: str | None = None) -> MessageText:
    """The superior union did not agree, by a deputy of `represented`."""
    locked = "批次内人员保持锁定，不可重新提交办卡。"
    body = f"批次 {batch_no} 的撤销申请审核不通过{_in_name_of(represented)}，{locked}{_opinion(remark)}"
    return MessageText("revocation_rejected", "撤销办卡批次申请审核不通过", body, f"/batches/{batch_no}")


def revocation_closed(batch_no: str) -> MessageText:
    """The bank has decided on all before the superior union decided."""
    advice = "请在批次详情查看每位会员的办理结果。"
    body = f"批次 {batch_no} 银行已全部办结，撤销申请无需审核，已自动关闭，批次不撤销。{advice}"
    return MessageText("revocation_closed", "撤销办卡批次申请无需审核", body, f"/batches/{batch_no}")


def application_cancelled(member_no: str) -> MessageText:
    """A newer application ended because an earlier one was issued after all."""
    body = f"会员 {member_no} 此前的办卡申请已由银行办卡成功，新的办卡申请已自动取消，无需再办。"
    return MessageText("application_cancelled", "办卡申请已自动取消", body, "/members")


def correction_refused(member_no: str) -> MessageText:
    """An application ended because its corrected document is known as another member's."""
    body = (
        f"会员 {member_no} 更正后的证件号码已登记过其他会员，办卡申请已自动取消。"
        "请核对证件原件；重复登记的，请联系技术支持。"
    )
    return MessageText("correction_refused", "办卡申请已自动取消", body, "/members")


def members_refused(members: Sequence[tuple[str, str]]) -> MessageText:
    """Queued members could not be listed; `members` are their numbers with the reasons."""
    named = "、".join(f"会员 {member_no}（{reason}）" for member_no, reason in members[:_MOST_NAMED])
    all_of_them = f"等共 {len(members)} 人" if len(members) > _MOST_NAMED else ""
    body = f"{named}{all_of_them}资料有误，未能加入待办。请更正会员资料后重新勾选提交办卡。"
    return MessageText("members_refused", "会员未能加入待办", body, "/members?card_state=none")


def transfer_requested(union: str, member_no: str, due_on: date) -> MessageText:
    """To the old union's clerk: another union requests a member."""
    body = f"{union}申请将会员 {member_no} 转入。请在 {due_on.isoformat()} 前办理；逾期未办的，会员自动转入该工会。"
    return MessageText("transfer_requested", "会员转会待办理", body, "/transfers?state=requested")


def transfer_ended(state: str, remark: str | None) -> MessageText:
    """To the union that requested a member, or to the old one whose decision is no longer needed."""
    if state == "withdrawn":
        return MessageText("transfer_ended", "转会申请已撤回", "对方工会已撤回转会申请，无需办理。", "/transfers")
    reason = f"原因：{remark}" if remark else ""
    return MessageText("transfer_ended", "转会申请未获同意", f"会员所在工会不同意转会。{reason}", "/transfers")


def member_transferred_out(union: str, member_no: str, *, automatic: bool) -> MessageText:
    """To the old union's clerk."""
    why = "逾期未办，已自动" if automatic else "已"
    body = f"会员 {member_no} {why}转入{union}，待办中的申请已取消，办理中的申请继续办理。"
    return MessageText("member_transferred_out", "会员已转出", body, "/transfers?direction=out")


def member_transferred_in(member_no: str) -> MessageText:
    """To the new union's clerk."""
    body = f"会员 {member_no} 已转入本工会，会员编号和卡片不变；未办卡的，可添加至待办。"
    return MessageText("member_transferred_in", "会员已转入", body, "/members")


def import_finished(accepted: int, rejected: int, import_id: str) -> MessageText:
    """An import of members ended."""
    advice = "请下载错误清单，修改后重新导入有误的行。" if rejected else "会员编号已生成，可以提交办卡。"
    body = f"导入成功 {accepted} 人，有误 {rejected} 行。{advice}"
    return MessageText("import_finished", "会员导入完成", body, f"/members/imports/{import_id}")


def import_failed(import_id: str, failure: str | None, accepted: int) -> MessageText:
    """An import could not be read, or ended before all were registered."""
    cause = failure or "文件无法读取，请使用系统提供的模板重新填写后上传。"
    registered = f"已登记 {accepted} 人。" if accepted else "没有登记任何会员。"
    return MessageText("import_failed", "会员导入失败", f"{registered}{cause}", f"/members/imports/{import_id}")


def monthly_report(month: str, current: Figures, previous: Figures) -> MessageText:
    """The report of a month, for a union with everything below it."""
    year, number = month.split("-")
    rate = f"，办卡率 {current.card_rate:.1%}" if current.card_rate is not None else ""
    days = f"；办卡天数中位数 {current.median_days} 天" if current.median_days is not None else ""
    body = (
        f"会员 {current.members:,} 人{rate}。加入待办 {current.queued:,} 人，提交办卡 {current.submitted:,} 人，"
        f"办卡成功 {current.issued:,} 人（上月 {previous.issued:,} 人），银行退回 {current.refused:,} 人，"
        f"批次撤销 {current.revoked:,} 人{days}。现有 {current.waiting_submission:,} 人待提交、"
        f"{current.waiting_bank:,} 人待银行反馈。"
    )
    title = f"{year}年{int(number)}月办卡统计月报"
    return MessageText("monthly_report", title, body, f"/reports?first_month={month}&last_month={month}")


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


def account_changed(change: str, changed_by: str | None, changed_at: datetime) -> MessageText:
    """To the holder of an account: its credentials, telephone or roles were changed."""
    title, happened = _ACCOUNT_CHANGES[change]
    at = changed_at.astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M")
    body = f"{at}，{_by(changed_by)}：您的账号{happened}。如非本人操作或不知情，请立即联系上级工会。"
    return MessageText(f"account_{change}", title, body, "/account")


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


def work_overdue(works: Sequence[tuple[str, int]], of_subordinates: int) -> MessageText:
    """Overdue work by kind with the counts: of the own union, or of so many unions below."""
    told = "、".join(_OVERDUE[kind][0].format(count) for kind, count in works)
    link = _OVERDUE[works[0][0]][1]
    if of_subordinates:
        body = f"下级 {of_subordinates} 个工会有事项超期：{told}。请督促办理；该工会没有经办人或审核人的，请开通账号。"
        return MessageText("work_overdue_below", "下级工会有超期事项", body, link)
    return MessageText("work_overdue", "有超期未处理的事项", f"超期未处理：{told}。请尽快办理。", link)


def sms_work_overdue(works: Sequence[tuple[str, int]], of_subordinates: int) -> str:
    """To those who can act, or to those above."""
    told = "、".join(_OVERDUE[kind][0].format(count).replace(" ", "") for kind, count in works)
    whose = f"下级{of_subordinates}个工会有事项超期" if of_subordinates else "您有事项超期未处理"
    return f"{SIGNATURE}{whose}：{told}。请登录工作平台查看。"


def delegation_received(known: Mapping[str, Any]) -> MessageText:
    """To the deputy: from when to when it decides, for whom, and why; or that this ended early."""
    principal, period = known["principal_name"], _period(known)
    if known["change"] == "ended":
        body = f"您代{principal}审核（{period}）的委托已由{known['changed_by_name']}提前结束，您不再代其审核。"
        return MessageText("delegation_ended", "代审委托已提前结束", body, "/delegations")
    how = f"待审核的撤销申请在“撤销审核”中办理，审核结果注明“代 {principal} 审核”。"
    body = f"请您在 {period} 代{principal}审核。原因：{known['reason']}。{how}"
    return MessageText("delegation_received", "您被指定为代审人", body, "/delegations")


def delegation_given(known: Mapping[str, Any]) -> MessageText:
    """To the reviewer, who did not do it: who stands in for it, or that this ended early."""
    if known["change"] == "ended":
        body = f"{known['deputy_name']}代您审核（{_period(known)}）的委托已由{known['changed_by_name']}提前结束。"
        return MessageText("delegation_ended", "代审委托已提前结束", body, "/delegations")
    body = f"{known['changed_by_name']}已指定{known['deputy_name']}在 {_period(known)} 代您审核。"
    return MessageText("delegation_given", "已为您指定代审人", body, "/delegations")


def phone_change_waits(account_name: str, requested_by: str | None) -> MessageText:
    """To the administrators, one of whom, but not the requester, has to confirm."""
    body = f"{requested_by}申请更换账号 {account_name} 登记的手机号，请向本人核实后确认。申请人不能自己确认。"
    return MessageText("phone_change_waits", "更换手机号申请待确认", body, "/phone-changes")


def sms_account_changed(account_name: str, change: str, changed_by: str | None) -> str:
    """To the telephone numbers of an account, the old one too where it was changed."""
    _, happened = _ACCOUNT_CHANGES[change]
    advice = "如非本人操作或不知情，请立即联系上级工会。"
    return f"{SIGNATURE}您的账号{account_name}{happened}（{_by(changed_by)}）。{advice}"


def sms_cards_issued(batch_no: str, count: int) -> str:
    """To the batch's contact, who for a personal application is the member."""
    return f"{SIGNATURE}批次{batch_no}新增{count}人办卡成功，请持卡人携带本人证件原件到网点领卡。"


def sms_collection_reminded(outlet_name: str, handed_out_by_union: bool) -> str:
    """To a member whose card has waited long for collection."""
    place = "所在工会" if handed_out_by_union else outlet_name
    return f"{SIGNATURE}您的工会会员服务卡已制好，尚未领取，请本人携带身份证件原件到{place}领卡。"


def sms_transfer_requested(union: str, due_on: date) -> str:
    """To a member whom another union requests."""
    advice = "如非本人要求，请立即联系所在工会。"
    return f"{SIGNATURE}{union}申请将您的会员关系转入，{due_on.month}月{due_on.day}日前办结。{advice}"


def sms_cards_refused(batch_no: str, count: int) -> str:
    """To the batch's contact, who for a personal application is the member."""
    return f"{SIGNATURE}批次{batch_no}有{count}人被银行退回，请登录查看退回原因，更正信息后重新申请办卡。"


def sms_revocation_decided(batch_no: str, approved: bool) -> str:
    """To the applicant of the revocation."""
    outcome = "审核通过，未办结人员将被释放" if approved else "审核不通过，批次内人员保持锁定"
    return f"{SIGNATURE}您申请撤销的批次{batch_no}{outcome}。"


def sms_revocation_closed(batch_no: str) -> str:
    """To the applicant of the revocation."""
    return f"{SIGNATURE}您申请撤销的批次{batch_no}银行已全部办结，申请无需审核，已自动关闭。"


def sms_one_time_password(code: str, expires_at: datetime) -> str:
    """To a member who signs in on the phone."""
    until = expires_at.astimezone(_SHANGHAI).strftime("%H:%M")
    return f"{SIGNATURE}验证码{code}，用于申请办卡登录，{until}前有效。请勿告知他人。"


def sms_reset_link(account_name: str, link: str, expires_at: datetime, made_by: str | None = None) -> str:
    """To the holder of an account for which an administrator created a link to choose another password."""
    until = expires_at.astimezone(_SHANGHAI).strftime("%H:%M")
    advice = "请勿转发；非本人申请请联系上级工会。"
    by = f"由管理员{made_by}" if made_by else ""
    return f"{SIGNATURE}您的账号{account_name}正{by or '在'}重置密码，请在{until}前打开 {link} 设置新密码。{advice}"


def sms_first_link(account_name: str, link: str, expires_at: datetime) -> str:
    """To the holder of a new account."""
    until = expires_at.astimezone(_SHANGHAI).strftime("%m月%d日%H:%M")
    return f"{SIGNATURE}您的账号{account_name}已开通，请在{until}前打开 {link} 设置密码。请勿转发。"


def _by(changed_by: str | None) -> str:
    return f"管理员{changed_by}操作" if changed_by else "本人操作"


def alert_fires(alert: ReportedAlert | Alert) -> MessageText:
    """To operators: an alert of monitoring, with its runbook."""
    urgency = "紧急" if alert.severity == "page" else "一般"
    body = f"{_about(alert)}{alert.notice}处置手册：{alert.name}。"
    return MessageText("alert_fires", f"系统告警（{urgency}）", body, f"/runbooks/{alert.name}")


def alert_ended(alert: ReportedAlert | Alert) -> MessageText:
    """To operators: an alert is over."""
    body = f"{_about(alert)}{alert.notice}已于{_at(required(alert.ended_at))}恢复。"
    return MessageText("alert_ended", "系统告警已恢复", body, "/operations")


def sms_phone_given_up(new_phone: str | None, changed_at: datetime, held_until: datetime) -> str:
    """To a member's old number."""
    new = f"变更为{mask_phone(new_phone)}" if new_phone else "删除"
    return (
        f"{SIGNATURE}您登记的会员手机号已于{_at(changed_at)}{new}，{_at(held_until)}前不能在手机上申请办卡。"
        "如非本人要求，请立即联系所在工会。"
    )


def sms_phone_taken(changed_at: datetime, held_until: datetime) -> str:
    """To a member's new number."""
    return (
        f"{SIGNATURE}本手机号已于{_at(changed_at)}登记为工会会员的手机号，{_at(held_until)}前不能在手机上申请办卡。"
        "如非本人要求，请立即联系所在工会。"
    )


def _at(moment: datetime) -> str:
    return moment.astimezone(_SHANGHAI).strftime("%m月%d日%H:%M")


def _in_name_of(represented: str | None) -> str:
    return f"（代 {represented} 审核）" if represented else ""


def _about(alert: ReportedAlert | Alert) -> str:
    about = " ".join(filter(None, (alert.subject, alert.instance)))
    return f"{about}：" if about else ""


def _period(known: Mapping[str, Any]) -> str:
    return f"{known['first_day']} 至 {known['last_day']}"


def _opinion(remark: str | None) -> str:
    return f"审核意见：{remark}" if remark else ""
