// A day in three parts, as wheels give it: each part is two or four digits, or empty while nothing is chosen.

export interface DayParts {
  year: string;
  month: string;
  day: string;
}

export const partsOf = (iso: string): DayParts => {
  const [year = "", month = "", day = ""] = iso.split("-");
  return { year, month, day };
};

/** `2040-01-02`; `2040-01-` where a part is still open, and empty where nothing is chosen. */
export const dayOfParts = ({ year, month, day }: DayParts): string => (year || month || day ? `${year}-${month}-${day}` : "");

/** The days of the month, all 31 while month or year is open. */
export function daysOf({ year, month }: DayParts): string[] {
  const last = month ? new Date(Date.UTC(Number(year || "2000"), Number(month), 0)).getUTCDate() : 31;
  return twoDigits(last);
}

export const MONTHS = twoDigits(12);

function twoDigits(last: number): string[] {
  return Array.from({ length: last }, (_nothing, place) => String(place + 1).padStart(2, "0"));
}
