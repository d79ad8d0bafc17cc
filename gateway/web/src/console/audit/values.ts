// The changes of audit events in Chinese: names of fields, and values before and after.
import { dateTime, NOTHING } from "@/locales/format";
import { UNION_CHANGE_KINDS, UNION_CHANGE_STATES } from "@/console/administration/terms";
import { ROLES } from "@/locales/terms";

const NAMES: Record<string, string> = {
  account_name: "账号",
  by_sms: "接收短信",
  is_on: "发送",
  applicants: "重新发送人数",
  recalled: "重新撤回人数",
  done: "已处理",
  left: "需人工处理",
  processed_at: "银行处理时间",
  queue: "队列",
  repair: "修复项目",
  restored_to: "恢复至",
  what: "发送内容",
  address: "地址",
  attachments: "附件",
  batch_no: "批次编号",
  birth_date: "出生日期",
  body: "内容",
  branch_code: "发卡支行代码",
  channel: "办理通道",
  charset: "字符集",
  deputy: "代审人",
  first_day: "开始日期",
  last_day: "结束日期",
  on_behalf_of: "代审（委托人）",
  principal: "委托人",
  closed: "已停用",
  code: "代码",
  contact: "联系人",
  count: "数量",
  disabled: "已停用",
  display_name: "姓名",
  district: "所在区",
  document_expiry: "证件到期日",
  has_second_factor: "动态口令",
  link_made_by: "重置链接发送人",
  requested_by: "申请人",
  document_number: "证件号码",
  document_type: "证件类型",
  file_name: "文件名",
  name: "名称",
  nationality: "国籍",
  outlet_code: "经办网点代码",
  phone: "电话",
  places: "显示位置",
  position: "排序",
  reason: "原因",
  remark: "审核意见",
  retirement_category: "退休类别",
  roles: "角色",
  rows: "导出条数",
  acted_from: "开始日期",
  acted_to: "结束日期",
  action: "操作",
  outcome: "结果",
  record_id: "对象编号",
  record_kind: "对象类型",
  sex: "性别",
  special_retirement_month: "特殊工种退休年月",
  document_end: "证件号码后四位",
  place: "查询位置",
  superior_union_id: "上级工会",
  kind: "类型",
  state: "状态",
  target: "划转至、并入",
  union: "工会",
  title: "标题",
  video_url: "视频地址",
};

const SENT = { batch: "办卡批次", recall: "撤回通知" };
/** Kinds and states of requests. */
const CHANGES: Record<string, string> = {
  accepted: "已同意",
  active: "生效",
  ended: "已结束",
  ...UNION_CHANGE_KINDS,
  ...Object.fromEntries(Object.entries(UNION_CHANGE_STATES).map(([state, { text }]) => [state, text])),
};
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

export interface Change {
  name: string;
  before: string;
  after: string;
  isChanged: boolean;
}

type Values = Record<string, unknown> | null | undefined;

/** One line for each old or new value, in the order of the audit event. */
export function changesOf(old: Values, now: Values): Change[] {
  const names = new Set([...Object.keys(old ?? {}), ...Object.keys(now ?? {})]);
  return [...names].map((name) => {
    const before = wordOf(old?.[name], name);
    const after = wordOf(now?.[name], name);
    return { name: NAMES[name] ?? name, before, after, isChanged: before !== after };
  });
}

function wordOf(value: unknown, name: string): string {
  if (value === null || value === undefined || value === "") return NOTHING;
  if (typeof value === "boolean") return value ? "是" : "否";
  if (Array.isArray(value)) return value.map((one) => wordOf(one, name)).join("、") || NOTHING;
  if (typeof value !== "string" && typeof value !== "number") return JSON.stringify(value);
  if (name === "roles") return ROLES[value as keyof typeof ROLES] ?? String(value);
  if (name === "kind" || name === "state") return CHANGES[String(value)] ?? String(value);
  if (name === "what") return SENT[value as keyof typeof SENT] ?? String(value);
  return MOMENT.test(String(value)) ? dateTime(String(value)) : String(value);
}
