// The request to export members: filters, whole numbers, reason.
import type { MemberFilter } from "@/api/types";

export interface ExportRequest {
  filter: MemberFilter;
  whole_numbers: boolean;
  reason?: string;
}

/** Why a reason does not do, in Chinese. */
export function reasonProblem(reason: string): string {
  return reason.trim().length < 2 ? "请填写原因，至少 2 个字" : "";
}

/** The members of a list's filters, as the list requests them; the reason is sent with whole numbers only. */
export function exportRequest(filters: Record<string, string>, isWhole: boolean, reason: string): ExportRequest {
  const filter = Object.fromEntries(Object.entries(filters).filter(([, value]) => value)) as MemberFilter;
  return { filter, whole_numbers: isWhole, ...(isWhole && { reason: reason.trim() }) };
}
