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

/** A list's filters as the body of a request: empty ones are left out, and truth values are real ones. */
export function memberFilter({ has_left, ...others }: Record<string, string>): MemberFilter {
  const filter = Object.fromEntries(Object.entries(others).filter(([, value]) => value)) as MemberFilter;
  return has_left ? { ...filter, has_left: has_left === "true" } : filter;
}

/** The members of a list, as the list asks for them; the reason is sent with whole numbers only. */
export function exportRequest(filter: MemberFilter, isWhole: boolean, reason: string): ExportRequest {
  return { filter, whole_numbers: isWhole, ...(isWhole && { reason: reason.trim() }) };
}
