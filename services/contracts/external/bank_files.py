"""Files between batching and a branch that takes no messages: their sheets, headings and words.

They say the same as the messages in `bank`. Ours hand over a batch or recall applicants; the bank's have results on
applicants or reports on cards. Each is an .xlsx with the branch's password.
"""

from collections.abc import Mapping
from types import MappingProxyType

from services.contracts.shared import CARD_STEP_WORDS
from services.kit.sheets.forms import Form

BATCH_SHEET = "批次"
APPLICANTS_SHEET = "办卡名单"
RECALL_SHEET = "撤回名单"
BATCH_HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "batch_no": "批次编号",
        "channel": "办卡通道",
        "outlet_code": "经办网点代码",
        "outlet_name": "经办网点",
        "union_name": "提交工会",
        "contact_name": "联系人",
        "contact_phone": "联系电话",
        "total": "人数",
        "repeated": "是否重新发送",
    }
)
"""The lines of the sheet BATCH_SHEET, of which each has a name and a value."""
APPLICANT_HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "application_id": "申请编号",
        "member_no": "会员编号",
        "name": "姓名",
        "document_type": "证件类型",
        "document_number": "证件号码",
        "document_expiry": "证件到期日",
        "nationality": "国籍",
        "phone": "联系电话",
    }
)
RECALLED_HEADINGS: Mapping[str, str] = MappingProxyType(
    {"batch_no": "批次编号", "application_id": "申请编号", "member_no": "会员编号"}
)
OUTCOME_WORDS: Mapping[str, str] = MappingProxyType(
    {"accepted": "已受理", "made": "已制卡", "issued": "办理成功", "refused": "退回"}
)
_MOMENT = "北京时间，精确到分，如 2026-11-24 10:05；零点整的写 00:01"
RESULTS = Form(
    "办理结果",
    {
        "batch_no": "批次编号",
        "application_id": "申请编号",
        "member_no": "会员编号",
        "outcome": "结果",
        "processed_at": "处理时间",
        "card_no": "卡号",
        "reason_code": "退回代码",
        "reason": "退回原因",
    },
    ("batch_no", "outcome", "processed_at"),
    {
        "application_id": "申请编号、会员编号至少填一项，都填的应为同一人",
        "outcome": "、".join(OUTCOME_WORDS.values()) + "；没有结果的留空，该行不读取",
        "processed_at": f"银行作出结果的时间，{_MOMENT}",
        "card_no": "办理成功的必填，16 至 19 位；单元格应为文本格式",
        "reason_code": "退回的必填，银行自定，50 字以内",
        "reason": "退回的原因，会员所在工会可见，200 字以内",
    },
)
CARDS = Form(
    "卡片变动",
    {
        "card_no": "卡号",
        "step": "变动",
        "happened_at": "变动时间",
        "new_card_no": "新卡号",
        "application_id": "申请编号",
        "member_no": "会员编号",
    },
    ("card_no", "step", "happened_at"),
    {
        "step": "、".join(CARD_STEP_WORDS.values()),
        "happened_at": _MOMENT,
        "new_card_no": "补卡的必填；换卡后卡号改变的也填",
        "application_id": "该卡的“办理成功”尚未上传的必填",
        "member_no": "填写的应为持卡人",
    },
)
FORMS = (RESULTS, CARDS)
NOTES_SHEET = "填写说明"
OUR_SHEETS = (BATCH_SHEET, APPLICANTS_SHEET, RECALL_SHEET, NOTES_SHEET)
"""Sheets of our own in a file that comes back; they are not read."""
REJECTION_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "bad_schema": "填写有误",
        "before_submission": "处理时间早于批次的提交时间",
        "in_the_future": "时间晚于今天",
        "unknown_batch": "该支行没有此批次",
        "unknown_application": "批次中没有此人",
        "member_no_differs": "申请编号与会员编号不是同一人",
        "contradicts_issued": "此人此前已办理成功，不能再退回",
        "contradicts_refused": "此申请此前已退回，不能再办理",
        "card_no_differs": "此人此前以另一卡号办理成功",
        "card_no_reused": "该卡号已用于另一申请",
        "already_issued": "此人已有另一申请办理成功的卡",
        "unknown_card": "该支行没有此卡号；“办理成功”可能尚未上传的，请同时填写申请编号",
        "replaced_differently": "此卡此前已由另一卡号替换",
    }
)
"""Why a line is not taken, for people at the bank, by the codes of `bank.REJECTIONS` that a file can meet."""
