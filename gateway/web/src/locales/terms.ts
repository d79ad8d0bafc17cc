// Chinese terms of the field for the API's codes.
export type Tone = "plain" | "busy" | "good" | "warn" | "bad";

export interface Term {
  text: string;
  tone: Tone;
}

export const CARD_STATES = {
  none: { text: "未办卡", tone: "plain" },
  pending: { text: "待办中", tone: "warn" },
  submitted: { text: "办理中", tone: "busy" },
  issued: { text: "已办卡", tone: "good" },
} as const satisfies Record<string, Term>;

/** The status of a card once it is made. */
export const CARD_STATUSES = {
  made: { text: "已制卡", tone: "busy" },
  collected: { text: "已领卡", tone: "good" },
  active: { text: "已激活", tone: "good" },
  lost: { text: "已挂失", tone: "bad" },
  closed: { text: "已销卡", tone: "plain" },
} as const satisfies Record<string, Term>;

/** How somebody is insured 参保方式. */
export const ENROLMENT_WAYS = { collective: "集中参保", immediate: "即时参保" } as const;

/** What an enrolment insures 保障项目. */
export const ENROLMENT_KINDS = { hospital: "住院保障", illness: "重大疾病保障", accident: "意外伤害保障", death: "身故保障" } as const;

/** In tables, where width is dear. */
export const SHORT_ENROLMENT_KINDS = { hospital: "住院", illness: "重大疾病", accident: "意外伤害", death: "身故" } as const;

/** What an enrolment is today. */
export const ENROLMENT_STATUSES = {
  upcoming: { text: "未生效", tone: "busy" },
  covered: { text: "保障中", tone: "good" },
  expired: { text: "已到期", tone: "plain" },
  ended: { text: "已终止", tone: "bad" },
} as const satisfies Record<string, Term>;

export const TRANSFER_STATES = {
  requested: { text: "待办理", tone: "warn" },
  accepted: { text: "已转会", tone: "good" },
  declined: { text: "不同意", tone: "bad" },
  withdrawn: { text: "已撤回", tone: "plain" },
} as const satisfies Record<string, Term>;

export const TRANSFER_DIRECTIONS = { in: "转入", out: "转出" } as const;

/** Who hands a card out. */
export const HANDED_OUT_BY = { union: "工会发放", outlet: "网点领取" } as const;

/** What happens to a card. */
export const CARD_STEPS = {
  collected: "领卡",
  activated: "激活",
  lost: "挂失",
  replaced: "补卡",
  renewed: "换卡",
  closed: "销卡",
} as const;

export const CHANNELS = {
  ordinary: { text: "普通", tone: "plain" },
  special: { text: "特殊", tone: "busy" },
} as const satisfies Record<string, Term>;

/** The reasons to switch somebody to the special channel. */
export const SWITCH_REASONS = {
  rare_character: "姓名含生僻字",
  name_not_enterable: "发卡支行的系统无法录入姓名",
  document: "证件情况特殊",
  other: "其他",
} as const;

export const CHECK_STATES = {
  unchecked: { text: "未校验", tone: "plain" },
  checking: { text: "校验中", tone: "busy" },
  waiting: { text: "等待核查", tone: "warn" },
  passed: { text: "已通过", tone: "good" },
  failed: { text: "未通过", tone: "bad" },
} as const satisfies Record<string, Term>;

export const APPLICATION_STATES = {
  queued: { text: "待办中", tone: "warn" },
  submitted: { text: "办理中", tone: "busy" },
  issued: { text: "已办卡", tone: "good" },
  refused: { text: "银行退回", tone: "bad" },
  released: { text: "已释放", tone: "plain" },
  removed: { text: "已移除", tone: "plain" },
} as const satisfies Record<string, Term>;

/** How the last application of members ended who are free again. */
export const LAST_OUTCOMES = { refused: "银行退回", released: "已释放" } as const;

/** Why a member is one no longer. */
export const LEAVING = { left: "退会", retired: "退休" } as const;

/** Whether somebody is still a member. */
export const MEMBERSHIPS = { false: "在会", true: "已退会、退休" } as const;

export const BATCH_STATES = {
  submitted: { text: "待银行反馈", tone: "busy" },
  partly_decided: { text: "部分已反馈", tone: "busy" },
  decided: { text: "已全部反馈", tone: "good" },
  revoked: { text: "已撤销", tone: "plain" },
} as const satisfies Record<string, Term>;

/** How far the bank is with whom it has not decided on. */
export const BANK_PROGRESS = { accepted: "银行已受理", made: "已制卡" } as const;

/** Why a batch is asked back. */
export const REVOCATION_REASONS = {
  members: "办卡人员有误",
  information: "人员信息有误",
  outlet: "经办网点有误",
  duplicate: "重复提交",
  other: "其他",
} as const;

/** How far a deputy's delegation is. */
export const DELEGATION_STATES = {
  upcoming: { text: "未开始", tone: "plain" },
  active: { text: "生效中", tone: "good" },
  ended: { text: "已结束", tone: "plain" },
} as const satisfies Record<string, Term>;

/** The filter of delegations by who they concern. */
export const DELEGATION_WHOSE = { given: "我委托的", received: "委托我的" } as const;

export const REVOCATION_STATES = {
  requested: { text: "待审核", tone: "warn" },
  approved: { text: "审核通过", tone: "good" },
  rejected: { text: "审核不通过", tone: "bad" },
  closed: { text: "无需审核", tone: "plain" },
} as const satisfies Record<string, Term>;

/** Work that has waited beyond its limit. */
export const OVERDUE: Term = { text: "超期", tone: "bad" };

/** What a batch has waited for too long. */
export const OVERDUE_BATCHES = { unprinted: "清册未打印", bank_silent: "银行未反馈" } as const;

/** The filter of lists by it. */
export const OVERDUE_FILTER = { true: "超期", false: "未超期" } as const;

export const REGISTER_STATES = {
  unprinted: { text: "未打印", tone: "plain" },
  printed: { text: "已打印", tone: "good" },
} as const satisfies Record<string, Term>;

/** 会员类别: members who are not employees of the union's enterprise apply on the phone. */
export const AFFILIATIONS = { employer: "企业内", flexible: "灵活就业", outside: "企业外" } as const;

export const DOCUMENT_TYPES = {
  resident_id: "居民身份证",
  hmt_residence_permit: "港澳台居民居住证",
  foreign_permanent_resident_id: "外国人永久居留身份证",
  mainland_travel_permit_hm: "港澳居民来往内地通行证",
  mainland_travel_permit_tw: "台湾居民来往大陆通行证",
  passport: "护照",
  military_officer_id: "军官证",
} as const;

/** In tables, where width is dear. */
export const SHORT_DOCUMENT_TYPES = {
  resident_id: "身份证",
  hmt_residence_permit: "港澳台居住证",
  foreign_permanent_resident_id: "外国人永居证",
  mainland_travel_permit_hm: "港澳通行证",
  mainland_travel_permit_tw: "台湾通行证",
  passport: "护照",
  military_officer_id: "军官证",
} as const;

export const SEXES = { male: "男", female: "女" } as const;

export const RETIREMENT_CATEGORIES = {
  M60: "男职工（原 60 周岁）",
  F55: "女干部（原 55 周岁）",
  F50: "女工人（原 50 周岁）",
  special: "特殊工种",
} as const;

export const ROLES = { clerk: "经办人", reviewer: "审核人", administrator: "管理员", operator: "运维" } as const;

/** Roles of the audit log: that of a deputy comes beside an account's own. */
export const ROLES_OF_CALLERS = { ...ROLES, deputy: "代审人" } as const;

/** The options of a select: `options(SEXES)`. */
export function options<Code extends string>(terms: Readonly<Record<Code, string | Term>>): { value: Code; label: string }[] {
  return (Object.entries(terms) as [Code, string | Term][]).map(([value, term]) => ({
    value,
    label: typeof term === "string" ? term : term.text,
  }));
}
