// Ranges of days that lists are often searched by, as days in Shanghai.
import { dayOf } from "@/locales/format";

export type Range = { days: number } | { monthsAgo: number };

export const RANGES: Record<string, Range> = {
  今天: { days: 1 },
  近7天: { days: 7 },
  近30天: { days: 30 },
  本月: { monthsAgo: 0 },
  上月: { monthsAgo: 1 },
};

/** First and last day, at midnight of the computer's time zone: the calendar shows and returns these days. */
export function daysOf(range: Range, now: Date): [Date, Date] {
  const [year, month, day] = dayOf(now).split("-").map(Number) as [number, number, number];
  if ("days" in range) return [new Date(year, month - 1, day - range.days + 1), new Date(year, month - 1, day)];
  const last = range.monthsAgo ? new Date(year, month - range.monthsAgo, 0) : new Date(year, month - 1, day);
  return [new Date(year, month - 1 - range.monthsAgo, 1), last];
}
