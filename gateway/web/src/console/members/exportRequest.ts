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

/** The members of a list, as the list asks for them; the reason is sent with whole numbers only. */
export function exportRequest(filter: MemberFilter, isWhole: boolean, reason: string): ExportRequest {
  return { filter, whole_numbers: isWhole, ...(isWhole && { reason: reason.trim() }) };
}
