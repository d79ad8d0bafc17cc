// The bank's progress with a batch, and which actions it allows.
import type { Batch } from "@/api/types";

export type Counts = Pick<Batch, "total" | "issued" | "refused" | "released">;

/** How many the bank has still to decide. */
export function undecided({ total, issued, refused, released }: Counts): number {
  return total - issued - refused - released;
}

/** Why revocation cannot be asked for; undefined where it can. */
export function whyNotRevocable(batch: Counts & Pick<Batch, "revocable" | "revocation_state">): string | undefined {
  if (batch.revocable) return undefined;
  if (batch.revocation_state === "requested") return "已有撤销申请待审核";
  if (batch.revocation_state === "approved") return "该批次已撤销";
  return undecided(batch) === 0 ? "银行已全部反馈，不能撤销" : "本工会没有上级工会，无法审核撤销申请";
}
