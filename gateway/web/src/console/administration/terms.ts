// Chinese terms for unions and accounts.
import type { Term } from "@/locales/terms";

export const UNION_KINDS = { city: "市总工会", superior: "区局（产业）工会", grassroots: "基层工会" } as const;

export const PHONE_CHANGE_STATES = {
  requested: { text: "待确认", tone: "warn" },
  confirmed: { text: "已更换", tone: "good" },
  declined: { text: "已结束", tone: "plain" },
  expired: { text: "已过期", tone: "plain" },
} as const satisfies Record<string, Term>;

export const ACCOUNT_STATES = {
  active: { text: "正常", tone: "good" },
  locked: { text: "已锁定", tone: "warn" },
  disabled: { text: "已停用", tone: "plain" },
} as const satisfies Record<string, Term>;
