// Formats times, dates and numbers: always in Shanghai's time, whatever the computer's time zone.
const SHANGHAI = "Asia/Shanghai";
const LONG_TERM = "9999-12-31";
export const NOTHING = "–";
/** Replaces values that are only shown with a whole number. */
export const HIDDEN = "*****";

const parts = new Intl.DateTimeFormat("zh-CN", {
  timeZone: SHANGHAI,
  hourCycle: "h23",
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
});
const counts = new Intl.NumberFormat("zh-CN");

/** `2026-11-25 15:02`; a dash for nothing. */
export function dateTime(moment: string | null | undefined): string {
  if (!moment) return NOTHING;
  const part = Object.fromEntries(parts.formatToParts(new Date(moment)).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}`;
}

/** The day in Shanghai of a moment: `2026-11-25`. */
export function dayOf(moment: string | Date): string {
  return dateTime(moment instanceof Date ? moment.toISOString() : moment).slice(0, 10);
}

/** `刚刚`, `5 分钟前`, `3 小时前`, and beyond a day the date. */
export function ago(moment: string, now: Date = new Date()): string {
  const minutes = Math.floor((now.getTime() - new Date(moment).getTime()) / 60_000);
  if (minutes < 1) return "刚刚";
  if (minutes < 60) return `${minutes} 分钟前`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} 小时前`;
  return dateTime(moment);
}

/** A date of a document: 长期 for one that is valid for life. */
export function expiry(day: string | null | undefined): string {
  if (!day) return NOTHING;
  return day === LONG_TERM ? "长期" : day;
}

/** A month of the API as people say it: `12 月`. */
export function month(text: string): string {
  return `${Number(text.slice(5, 7))} 月`;
}

/** A masked number in a table: however much is hidden, five asterisks stand for it. */
export function masked(number: string | null | undefined): string {
  return number ? number.replace(/\*{6,}/g, "*****") : NOTHING;
}

/** `12,345`. */
export function count(number: number): string {
  return counts.format(number);
}

/** `1.4 MB`. */
export function fileSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
