// How acts ended, and the page of a record where there is one.
import type { RouteLocationRaw } from "vue-router";
import type { Act } from "@/api/types";
import { session } from "@/console/session";
import type { Term } from "@/locales/terms";

export const OUTCOMES = {
  done: { text: "成功", tone: "good" },
  refused: { text: "未成功", tone: "bad" },
} as const satisfies Record<string, Term>;

/** Who acted: the name is for administrators, members act by themselves. */
export function actorOf(act: Act): string {
  const maker = act.new?.link_made_by;
  const byLink = typeof maker === "string" && maker ? `，凭管理员${maker}的链接` : "";
  if (act.account_name && byLink) return `${act.display_name ?? act.account_name}${byLink}`;
  if (act.account_name) return act.display_name ? `${act.display_name}（${act.account_name}）` : act.account_name;
  return act.member_id ? "会员本人" : "未登录";
}

/** Where the record can be looked at. */
export function pageOf(record: Act["records"][number]): RouteLocationRaw | undefined {
  if (!session.has("administrator")) return undefined;
  if (record.kind === "member") return { name: "member", params: { member_id: record.id } };
  if (record.kind === "account") return { name: "account-of", params: { account_id: record.id } };
  if (record.kind === "batch") return `/batches/${encodeURIComponent(record.id)}`;
  return undefined;
}
