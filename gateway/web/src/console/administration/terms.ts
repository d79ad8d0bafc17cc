// Chinese terms for unions and accounts.
import type { UnionChangePreview } from "@/api/types";
import type { Term } from "@/locales/terms";

export const UNION_KINDS = { city: "市总工会", superior: "区局（产业）工会", grassroots: "基层工会" } as const;

export const PHONE_CHANGE_STATES = {
  requested: { text: "待确认", tone: "warn" },
  confirmed: { text: "已更换", tone: "good" },
  declined: { text: "已结束", tone: "plain" },
  expired: { text: "已过期", tone: "plain" },
} as const satisfies Record<string, Term>;

export const UNION_CHANGE_KINDS = { move: "划转", merge: "合并", dissolve: "撤销" } as const;

export const UNION_CHANGE_STATES = {
  requested: { text: "待确认", tone: "warn" },
  done: { text: "已完成", tone: "good" },
  declined: { text: "未同意", tone: "plain" },
  withdrawn: { text: "已撤回", tone: "plain" },
  expired: { text: "已失效", tone: "plain" },
} as const satisfies Record<string, Term>;

/** What a change of the tree concerns, in words. */
export function concerns({ unions, members, accounts, waiting, delegations }: UnionChangePreview): string {
  const counted = [
    [unions, "家下级工会"],
    [members, "名会员"],
    [waiting, "人正在办卡"],
    [accounts, "个账号"],
    [delegations, "项审核委托将结束"],
  ] as const;
  const found = counted.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return found.join("、") || "没有下级工会、会员和账号";
}

export const ACCOUNT_STATES = {
  active: { text: "正常", tone: "good" },
  locked: { text: "已锁定", tone: "warn" },
  disabled: { text: "已停用", tone: "plain" },
} as const satisfies Record<string, Term>;
