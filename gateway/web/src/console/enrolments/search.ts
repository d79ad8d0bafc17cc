// What the list of enrolments is asked for: the year, which is this one unless another is chosen, and why nothing was found.
import type { Enrolments } from "@/api/types";
import { UNION_FILTERS } from "@/composables/useUnionScope";
import { dayOf } from "@/locales/format";

/** An empty `year` is this year in Shanghai. */
export const EMPTY = {
  name: "",
  member_no: "",
  document_number: "",
  year: "",
  way: "",
  kind: "",
  status: "",
  ...UNION_FILTERS,
};
export type EnrolmentFilters = typeof EMPTY;

const ALL_YEARS = "all";
const PAST_YEARS = 5;
const MEMBER_NO = /^\d{10}$/;

export const thisYear = (now: Date = new Date()): number => Number(dayOf(now).slice(0, 4));
export const usualYear = (now?: Date): string => `今年 ${thisYear(now)}`;
export const isWholeMemberNo = (value: string): boolean => MEMBER_NO.test(value);

/** All years, the next one, which is insured before it begins, and those that are over. */
export function otherYears(now?: Date): { value: string; label: string }[] {
  const current = thisYear(now);
  const past = Array.from({ length: PAST_YEARS }, (_, ago) => current - 1 - ago);
  return [{ value: ALL_YEARS, label: "全部" }, ...[current + 1, ...past].map((year) => ({ value: String(year), label: String(year) }))];
}

/** The filters with the year as the API takes it; one that is no number is left for the API to refuse. */
export function withYear<Given extends { year?: string }>({ year, ...filters }: Given, now?: Date) {
  if (year === ALL_YEARS) return filters;
  return { ...filters, year: year ? Number(year) || year : thisYear(now) };
}

/** What an empty list says, and what to do. */
export function emptyText(answer: Enrolments | undefined, filters: EnrolmentFilters, isWithBelow: boolean, now?: Date): string {
  if (answer && !answer.is_connected) return "尚未接入市职工保障互助会，暂无参保信息";
  const { year, union_id, below, ...others } = filters;
  if (Object.values(others).some((value) => value.trim())) return "没有符合条件的参保信息，请调整或重置查询条件";
  const whose = isWithBelow ? "所选工会及其下级工会" : union_id || below ? "所选工会" : "本工会";
  if (year === ALL_YEARS) return `${whose}还没有参保信息`;
  return `${whose}还没有 ${year || thisYear(now)} 年度的参保信息，其他年度请在“年度”中选择`;
}
