// Chinese terms for audit events, and the page of a record.
import type { RouteLocationRaw } from "vue-router";
import type { AuditEvent } from "@/api/types";
import { session } from "@/console/session";
import type { Term } from "@/locales/terms";

export const OUTCOMES = {
  done: { text: "成功", tone: "good" },
  refused: { text: "未成功", tone: "bad" },
} as const satisfies Record<string, Term>;

/** The caller: the name is for administrators; members act for themselves. */
export function actorOf(auditEvent: AuditEvent): string {
  const maker = auditEvent.new?.link_made_by;
  const byLink = typeof maker === "string" && maker ? `，凭管理员${maker}的链接` : "";
  if (auditEvent.account_name && byLink) return `${auditEvent.display_name ?? auditEvent.account_name}${byLink}`;
  if (auditEvent.account_name)
    return auditEvent.display_name ? `${auditEvent.display_name}（${auditEvent.account_name}）` : auditEvent.account_name;
  return auditEvent.member_id ? "会员本人" : "未登录";
}

/** Where the record can be looked at. */
export function pageOf(record: AuditEvent["records"][number]): RouteLocationRaw | undefined {
  if (!session.has("administrator")) return undefined;
  if (record.kind === "member") return { name: "member", params: { member_id: record.id } };
  if (record.kind === "account") return { name: "account-of", params: { account_id: record.id } };
  if (record.kind === "batch") return `/batches/${encodeURIComponent(record.id)}`;
  return undefined;
}
