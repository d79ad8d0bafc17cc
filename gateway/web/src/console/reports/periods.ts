// Periods that are often asked for, by the month that it is in Shanghai.
import { dayOf } from "@/locales/format";

type Months = readonly [Date, Date];

/** The shortcuts of the months' picker. */
export const PERIODS = [
  { text: "本月", value: () => period(0, 0) },
  { text: "上月", value: () => period(-1, -1) },
  { text: "近三个月", value: () => period(-2, 0) },
  { text: "今年", value: () => period(1 - monthOf(new Date()).month, 0) },
  { text: "近十二个月", value: () => period(-11, 0) },
];

/** The months so many before or after that of a moment. */
export function period(first: number, last: number, now: Date = new Date()): Months {
  const { year, month } = monthOf(now);
  return [new Date(year, month - 1 + first, 1), new Date(year, month - 1 + last, 1)];
}

function monthOf(moment: Date): { year: number; month: number } {
  const [year, month] = dayOf(moment).split("-").map(Number);
  return { year: year!, month: month! };
}
