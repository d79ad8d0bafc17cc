"""All kinds of messages: on what occasion, to whom, by which way, with which text. The city may edit the texts.

`{名称}` in a text stands for a variable. Some are empty at times, and then bring their punctuation with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template as _Template

SIGNATURE = "【申工社】"
"""Every SMS begins with it, as its provider demands; it is no part of the texts."""

INBOX, SMS = "inbox", "sms"
MEMBER, CONTACT, CLERK, REVIEWER = "member", "contact", "clerk", "reviewer"
HOLDER, ADMINISTRATOR, OPERATOR = "holder", "administrator", "operator"
APPLICANT, STAFF = "applicant", "staff"


class Text(_Template):
    """A text with variables in braces."""

    pattern = r"\{(?:(?P<named>[^{}]+)|(?P<escaped>(?!))|(?P<braced>(?!)))\}|(?P<invalid>[{}])"  # type: ignore[assignment]


@dataclass(frozen=True)
class Kind:
    """A kind of message with its default text; an SMS has no title.

    `variables` have an example each. Those that are `needed` must stay in the text. An SMS that `may_be_off` the city
    can turn off; such a one to a member, the member can refuse. One that `is_urgent` is sent at night too.
    """

    code: str
    occasion: str
    audience: str
    way: str
    title: str
    body: str
    variables: Mapping[str, str]
    needed: tuple[str, ...] = ()
    may_be_off: bool = False
    is_urgent: bool = False
    is_on: bool = True
    """Whether it is sent unless the city decides otherwise."""


_BATCH = {"批次": "cbc81310000000000017P20261124001"}
_BATCH_OF = {**_BATCH, "人数": "3"}
_MEMBER_NO = {"会员编号": "0070258040"}
_UNION = {"工会": "上海建朗信息科技有限公司工会"}
_DECIDED = {**_BATCH, "代审": "（代 王强 审核）", "审核意见": "审核意见：同意"}
_DELEGATION = {"委托人": "王强", "代审人": "李敏", "期间": "2026-12-01 至 2026-12-05"}
_OUTLET = {"网点": "工商银行国华支行", "地址和电话": "（国定路335号，电话021-55551234）"}


def _inbox(  # noqa: PLR0913, PLR0917 - the columns of a table
    code: str,
    occasion: str,
    audience: str,
    title: str,
    body: str,
    variables: Mapping[str, str],
    needed: tuple[str, ...] = (),
) -> Kind:
    return Kind(code, occasion, audience, INBOX, title, body, variables, needed)


def _sms(code: str, occasion: str, audience: str, body: str, variables: Mapping[str, str], **more: object) -> Kind:
    return Kind(f"sms_{code}", occasion, audience, SMS, "", body, variables, **{"may_be_off": True, **more})  # type: ignore[arg-type]


_OF_APPLICATIONS = (
    _inbox(
        "checks_failed",
        "系统校验未通过",
        CLERK,
        "有会员未通过系统校验",
        "本小时内共 {人次} 人次未通过系统校验。请在待办会员列表查看原因，更正信息后重新校验，或移除后再提交办卡。",
        {"人次": "3"},
    ),
    _inbox(
        "checks_waiting",
        "退休状态暂时无法核实",
        CLERK,
        "系统校验等待中",
        "本小时内共 {人次} 人次的退休状态暂时无法核实，系统将自动继续校验，无需重新提交。",
        {"人次": "3"},
    ),
    _inbox(
        "members_refused",
        "会员资料有误，未能加入待办",
        CLERK,
        "会员未能加入待办",
        "{会员}资料有误，未能加入待办。请更正会员资料后重新勾选提交办卡。",
        {"会员": "会员 0070258040（证件号码校验位不正确）"},
    ),
    _sms(
        "member_queued",
        "加入待办",
        MEMBER,
        "{工会}已为您申请工会会员服务卡，正在核对信息，提交银行后将再通知您。",
        _UNION,
        is_on=False,
    ),
    _inbox(
        "application_cancelled",
        "此前的申请已办卡",
        CLERK,
        "办卡申请已自动取消",
        "会员 {会员编号} 此前的办卡申请已由银行办卡成功，新的办卡申请已自动取消，无需再办。",
        _MEMBER_NO,
    ),
    _inbox(
        "correction_refused",
        "更正后的证件号码属于其他会员",
        CLERK,
        "办卡申请已自动取消",
        "会员 {会员编号} 更正后的证件号码已登记过其他会员，办卡申请已自动取消。"
        "请核对证件原件；重复登记的，请联系技术支持。",
        _MEMBER_NO,
    ),
    _inbox(
        "import_finished",
        "会员导入完成",
        CLERK,
        "会员导入完成",
        "导入成功 {成功人数} 人，有误 {错误行数} 行。{说明}",
        {"成功人数": "98", "错误行数": "2", "说明": "请下载错误清单，修改后重新导入有误的行。"},
    ),
    _inbox(
        "import_failed",
        "会员导入失败",
        CLERK,
        "会员导入失败",
        "{已登记}{原因}",
        {"已登记": "没有登记任何会员。", "原因": "文件设有密码。"},
    ),
)
_OF_BATCHES = (
    _inbox(
        "batch_submitted",
        "提交办卡",
        CLERK,
        "办卡批次已提交",
        "批次 {批次} 共 {人数} 人已提交至{网点}。请打印清册，备齐办卡材料后到网点办理。",
        {**_BATCH_OF, "网点": _OUTLET["网点"]},
    ),
    _sms(
        "member_submitted",
        "提交办卡",
        MEMBER,
        "您的工会会员服务卡申请已提交至{网点}，制卡完成后将通知您领卡。",
        {"网点": _OUTLET["网点"]},
    ),
    _inbox(
        "cards_issued",
        "银行反馈办卡成功",
        CLERK,
        "银行反馈：办卡成功",
        "批次 {批次} 新增 {人数} 人办卡成功。请通知会员携带本人证件原件到网点领卡。",
        _BATCH_OF,
    ),
    _inbox(
        "cards_issued_late",
        "撤销后银行仍办卡成功",
        CLERK,
        "撤销后银行仍办卡成功",
        "批次 {批次} 撤销后，银行仍为 {人数} 人办卡成功，会员状态已更新为已办卡。请通知会员到网点领卡。",
        _BATCH_OF,
    ),
    _sms(
        "cards_issued",
        "银行反馈办卡成功",
        CONTACT,
        "批次{批次}新增{人数}人办卡成功，请持卡人携带本人证件原件到网点领卡。",
        _BATCH_OF,
    ),
    _sms(
        "card_ready",
        "银行反馈办卡成功，网点领卡",
        MEMBER,
        "您的工会会员服务卡已办好，请本人携带证件原件到{网点}{地址和电话}领卡。",
        _OUTLET,
    ),
    _sms(
        "card_ready_at_union",
        "银行反馈办卡成功，工会发卡",
        MEMBER,
        "您的工会会员服务卡已办好，由所在工会发放，请留意工会通知，领卡时携带本人证件原件。",
        {},
    ),
    _inbox(
        "cards_refused",
        "银行退回",
        CLERK,
        "银行反馈：办卡退回",
        "批次 {批次} 有 {人数} 人被银行退回。请查看退回原因，更正信息后在卡片信息管理重新提交办卡。",
        _BATCH_OF,
    ),
    _sms(
        "cards_refused",
        "银行退回",
        CONTACT,
        "批次{批次}有{人数}人被银行退回，请登录查看退回原因，更正信息后重新申请办卡。",
        _BATCH_OF,
    ),
    _sms(
        "member_refused",
        "银行退回",
        MEMBER,
        "您的工会会员服务卡申请被银行退回，原因：{原因}。请更正信息后重新申请；由工会申请的，请联系所在工会。",
        {"原因": "身份信息核验不符"},
    ),
    _sms(
        "member_released",
        "批次撤销，申请释放",
        MEMBER,
        "您的工会会员服务卡申请所在批次已撤销，银行未办卡。如需办卡，请联系所在工会重新申请。",
        {},
    ),
    _sms(
        "collection_reminded",
        "久未领卡",
        MEMBER,
        "您的工会会员服务卡已制好，尚未领取，请本人携带身份证件原件到{领卡处}领卡。",
        {"领卡处": _OUTLET["网点"]},
    ),
)
_OF_REVOCATIONS = (
    _inbox(
        "revocation_requested",
        "申请撤销批次",
        REVIEWER,
        "撤销办卡批次申请待审核",
        "{工会}申请撤销批次 {批次}{原因}，请审核。",
        {**_UNION, **_BATCH, "原因": "（重复提交）"},
    ),
    _inbox(
        "revocation_approved",
        "撤销申请审核通过",
        CLERK,
        "撤销办卡批次申请审核通过",
        "批次 {批次} 的撤销申请审核通过{代审}，{结果}{审核意见}",
        {**_DECIDED, "结果": "3 人已释放，可在卡片信息管理重新勾选提交办卡。"},
    ),
    _inbox(
        "revocation_rejected",
        "撤销申请审核不通过",
        CLERK,
        "撤销办卡批次申请审核不通过",
        "批次 {批次} 的撤销申请审核不通过{代审}，批次内人员保持锁定，不可重新提交办卡。{审核意见}",
        _DECIDED,
    ),
    _inbox(
        "revocation_closed",
        "撤销申请无需审核",
        CLERK,
        "撤销办卡批次申请无需审核",
        "批次 {批次} 银行已全部办结，撤销申请无需审核，已自动关闭，批次不撤销。请在批次详情查看每位会员的办理结果。",
        _BATCH,
    ),
    _sms(
        "revocation_approved",
        "撤销申请审核通过",
        APPLICANT,
        "您申请撤销的批次{批次}审核通过，未办结人员将被释放。",
        _BATCH,
    ),
    _sms(
        "revocation_rejected",
        "撤销申请审核不通过",
        APPLICANT,
        "您申请撤销的批次{批次}审核不通过，批次内人员保持锁定。",
        _BATCH,
    ),
    _sms(
        "revocation_closed",
        "撤销申请无需审核",
        APPLICANT,
        "您申请撤销的批次{批次}银行已全部办结，申请无需审核，已自动关闭。",
        _BATCH,
    ),
    _inbox(
        "delegation_received",
        "委托审核",
        HOLDER,
        "您被指定为代审人",
        "请您在 {期间} 代{委托人}审核。原因：{原因}。"
        "待审核的撤销申请在“撤销审核”中办理，审核结果注明“代 {委托人} 审核”。",
        {**_DELEGATION, "原因": "休假"},
    ),
    _inbox(
        "delegation_received_ended",
        "委托审核提前结束",
        HOLDER,
        "代审委托已提前结束",
        "您代{委托人}审核（{期间}）的委托已由{操作人}提前结束，您不再代其审核。",
        {**_DELEGATION, "操作人": "王强"},
    ),
    _inbox(
        "delegation_given",
        "管理员指定代审人",
        HOLDER,
        "已为您指定代审人",
        "{操作人}已指定{代审人}在 {期间} 代您审核。",
        {**_DELEGATION, "操作人": "吴强"},
    ),
    _inbox(
        "delegation_given_ended",
        "委托审核提前结束",
        HOLDER,
        "代审委托已提前结束",
        "{代审人}代您审核（{期间}）的委托已由{操作人}提前结束。",
        {**_DELEGATION, "操作人": "吴强"},
    ),
)
_OF_TRANSFERS = (
    _inbox(
        "transfer_requested",
        "会员转会申请",
        CLERK,
        "会员转会待办理",
        "{工会}申请将会员 {会员编号} 转入。请在 {日期} 前办理；逾期未办的，会员自动转入该工会。",
        {**_UNION, **_MEMBER_NO, "日期": "2026-12-08"},
    ),
    _sms(
        "transfer_requested",
        "会员转会申请",
        MEMBER,
        "{工会}申请将您的会员关系转入，{日期}前办结。如非本人要求，请立即联系所在工会。",
        {**_UNION, "日期": "12月8日"},
        needed=("工会",),
        may_be_off=False,
    ),
    _inbox(
        "transfer_withdrawn",
        "转会申请撤回",
        CLERK,
        "转会申请已撤回",
        "对方工会已撤回转会申请，无需办理。",
        {},
    ),
    _inbox(
        "transfer_declined",
        "转会申请未获同意",
        CLERK,
        "转会申请未获同意",
        "会员所在工会不同意转会。{原因}",
        {"原因": "原因：会员未离职"},
    ),
    _inbox(
        "member_transferred_out",
        "会员转出",
        CLERK,
        "会员已转出",
        "会员 {会员编号} {方式}转入{工会}，待办中的申请已取消，办理中的申请继续办理。",
        {**_MEMBER_NO, **_UNION, "方式": "逾期未办，已自动"},
    ),
    _inbox(
        "member_transferred_in",
        "会员转入",
        CLERK,
        "会员已转入",
        "会员 {会员编号} 已转入本工会，会员编号和卡片不变；未办卡的，可添加至待办。",
        _MEMBER_NO,
    ),
)
_OF_TIME = (
    _inbox(
        "work_overdue",
        "事项超期",
        STAFF,
        "有超期未处理的事项",
        "超期未处理：{事项}。请尽快办理。",
        {"事项": "3 位待办会员未校验"},
    ),
    _inbox(
        "work_overdue_below",
        "下级工会事项超期",
        STAFF,
        "下级工会有超期事项",
        "下级 {工会数} 个工会有事项超期：{事项}。请督促办理；该工会没有经办人或审核人的，请开通账号。",
        {"工会数": "2", "事项": "3 位待办会员未校验"},
    ),
    _sms(
        "work_overdue",
        "事项超期",
        STAFF,
        "您有事项超期未处理：{事项}。请登录工作平台查看。",
        {"事项": "3位待办会员未校验"},
    ),
    _sms(
        "work_overdue_below",
        "下级工会事项超期",
        STAFF,
        "下级{工会数}个工会有事项超期：{事项}。请登录工作平台查看。",
        {"工会数": "2", "事项": "3位待办会员未校验"},
    ),
    _inbox(
        "monthly_report",
        "每月 1 日",
        STAFF,
        "{年}年{月}月办卡统计月报",
        "会员 {会员数} 人{办卡率}。加入待办 {加入待办} 人，提交办卡 {提交办卡} 人，"
        "办卡成功 {办卡成功} 人（上月 {上月办卡成功} 人），银行退回 {银行退回} 人，"
        "批次撤销 {批次撤销} 人{办卡天数}。现有 {待提交} 人待提交、{待银行反馈} 人待银行反馈。",
        {
            "年": "2026",
            "月": "11",
            "会员数": "1,204",
            "办卡率": "，办卡率 81.2%",
            "加入待办": "57",
            "提交办卡": "50",
            "办卡成功": "48",
            "上月办卡成功": "31",
            "银行退回": "2",
            "批次撤销": "0",
            "办卡天数": "；办卡天数中位数 6 天",
            "待提交": "7",
            "待银行反馈": "12",
        },
    ),
)
_UNION_CHANGE = {**_UNION, "变更": "划转至杨浦区总工会"}
_OF_UNIONS = (
    _inbox(
        "union_change_requested",
        "申请工会撤并",
        ADMINISTRATOR,
        "工会撤并申请待确认",
        "申请将{工会}{变更}，请核对后由申请人以外的管理员确认。",
        _UNION_CHANGE,
        ("工会", "变更"),
    ),
    _inbox(
        "union_change_done",
        "工会撤并完成",
        ADMINISTRATOR,
        "工会撤并已完成",
        "{工会}已{变更}。",
        _UNION_CHANGE,
        ("工会", "变更"),
    ),
    _inbox(
        "union_change_ended",
        "工会撤并申请结束",
        ADMINISTRATOR,
        "工会撤并申请已结束",
        "将{工会}{变更}的申请{结果}，相关工会保持不变。",
        {**_UNION_CHANGE, "结果": "未获同意"},
    ),
    _inbox(
        "account_union_merged",
        "工会合并",
        HOLDER,
        "所在工会已合并",
        "{工会}已并入{并入工会}，您的账号随之划入，会员、待办和批次均在合并后的工会办理。",
        {**_UNION, "并入工会": "上海国华物业管理有限公司工会"},
        ("并入工会",),
    ),
)
_OF_ACCOUNTS = (
    _sms(
        "one_time_password",
        "手机登录",
        MEMBER,
        "验证码{验证码}，用于申请办卡登录，{时间}前有效。请勿告知他人。",
        {"验证码": "493027", "时间": "10:05"},
        needed=("验证码",),
        may_be_off=False,
        is_urgent=True,
    ),
    _sms(
        "reset_link",
        "重置密码",
        HOLDER,
        "您的账号{账号}正在{操作人}重置密码，请在{时间}前打开 {链接} 设置新密码。请勿转发；非本人申请请联系上级工会。",
        {"账号": "jianlang", "操作人": "由管理员吴强", "时间": "10:35", "链接": "https://zzgl.shzgh.org/reset#…"},
        needed=("链接",),
        may_be_off=False,
        is_urgent=True,
    ),
    _sms(
        "first_link",
        "开通账号",
        HOLDER,
        "您的账号{账号}已开通，请在{时间}前打开 {链接} 设置密码。请勿转发。",
        {"账号": "jianlang", "时间": "11月25日10:05", "链接": "https://zzgl.shzgh.org/reset#…"},
        needed=("链接",),
        may_be_off=False,
        is_urgent=True,
    ),
    _inbox(
        "account_changed",
        "账号、密码或角色变更",
        HOLDER,
        "{变更标题}",
        "{时间}，{操作人}：您的账号{变更}。如非本人操作或不知情，请立即联系上级工会。",
        {"变更标题": "账号角色已修改", "时间": "2026-11-24 10:05", "操作人": "管理员吴强操作", "变更": "角色已修改"},
        ("操作人", "变更"),
    ),
    _sms(
        "account_changed",
        "账号、密码或角色变更",
        HOLDER,
        "您的账号{账号}{变更}（{操作人}）。如非本人操作或不知情，请立即联系上级工会。",
        {"账号": "jianlang", "变更": "角色已修改", "操作人": "管理员吴强操作"},
        needed=("账号", "变更", "操作人"),
        may_be_off=False,
        is_urgent=True,
    ),
    _inbox(
        "phone_change_waits",
        "申请更换账号手机号",
        ADMINISTRATOR,
        "更换手机号申请待确认",
        "{申请人}申请更换账号 {账号} 登记的手机号，请向本人核实后确认。申请人不能自己确认。",
        {"申请人": "吴强（yangpu-admin）", "账号": "jianlang"},
        ("申请人", "账号"),
    ),
    _sms(
        "phone_given_up",
        "会员手机号变更，原手机号",
        MEMBER,
        "您登记的会员手机号已于{时间}{变更}，{解除时间}前不能在手机上申请办卡。如非本人要求，请立即联系所在工会。",
        {"时间": "11月24日10:05", "变更": "变更为139****1111", "解除时间": "11月25日10:05"},
        needed=("变更",),
        may_be_off=False,
        is_urgent=True,
    ),
    _sms(
        "phone_taken",
        "会员手机号变更，新手机号",
        MEMBER,
        "本手机号已于{时间}登记为工会会员的手机号，{解除时间}前不能在手机上申请办卡。如非本人要求，请立即联系所在工会。",
        {"时间": "11月24日10:05", "解除时间": "11月25日10:05"},
        may_be_off=False,
        is_urgent=True,
    ),
)
_OF_THE_SYSTEM = (
    _inbox(
        "alert_fires",
        "系统告警",
        OPERATOR,
        "系统告警（{级别}）",
        "{对象}{告警}处置手册：{名称}。",
        {"级别": "紧急", "对象": "batching：", "告警": "该程序没有任何进程应答。", "名称": "ProgramAway"},
    ),
    _inbox(
        "alert_ended",
        "系统告警恢复",
        OPERATOR,
        "系统告警已恢复",
        "{对象}{告警}已于{时间}恢复。",
        {"对象": "batching：", "告警": "该程序没有任何进程应答。", "时间": "11月24日10:05"},
    ),
)
KINDS: Mapping[str, Kind] = {
    kind.code: kind
    for kinds in (
        *(_OF_APPLICATIONS, _OF_BATCHES, _OF_REVOCATIONS, _OF_TRANSFERS, _OF_TIME, _OF_UNIONS, _OF_ACCOUNTS),
        _OF_THE_SYSTEM,
    )
    for kind in kinds
}
"""All kinds by code, in the order of an application's way."""
