// Chinese terms for requests of members for their data.
import type { SubjectRequest } from "@/api/types";
import type { Term } from "@/locales/terms";

export const KINDS = { copy: "查阅、复制", erasure: "删除" } as const;
export const SERVICES: Record<string, string> = {
  membership: "会员",
  validation: "校验",
  batching: "办卡批次",
  revocation: "撤销",
  notification: "消息",
};

export const STATES: Record<SubjectRequest["state"], Term> = {
  requested: { text: "待确认", tone: "busy" },
  working: { text: "办理中", tone: "busy" },
  done: { text: "已办结", tone: "good" },
  declined: { text: "不同意", tone: "plain" },
  withdrawn: { text: "已撤回", tone: "plain" },
  expired: { text: "已过期", tone: "plain" },
};

/** What became of a kind of data. */
export function outcomeOf(kind: SubjectRequest["kind"], part: SubjectRequest["parts"][number]): string {
  if (part.rows === 0) return "没有记录";
  if (kind === "copy") return "已提供";
  return part.kept_because ? `保留：${part.kept_because}` : "已删除";
}
