// The trends of the last hour: what the overview's samples say, minute by minute, of the whole system.
import type { Overview } from "@/api/types";
import { count } from "@/locales/format";

type Sample = Overview["samples"][number];

/** A figure minute by minute; null where nobody knew it. */
export interface Trend {
  title: string;
  unit: string;
  values: (number | null)[];
  /** Whether more than nothing is bad. */
  isBadAboveZero?: boolean;
}

const MINUTE = 60_000;
const MINUTES = 60;

/** The trends up to `now`; of the minute that goes on, and of one for which samples are still to come, none is shown. */
export function trendsOf({ samples, sms }: Overview, now: Date = new Date()): Trend[] {
  const last = Math.floor(now.getTime() / MINUTE) - 1;
  const minutes = Array.from({ length: MINUTES }, (_, index) => last - MINUTES + 1 + index);
  const each = (figure: (found: Sample[]) => number | null) =>
    minutes.map((minute) => figure(samples.filter((sample) => minuteOf(sample) === minute)));
  const texts = minutes.map((minute) => sms.find((one) => minuteOf(one) === minute));
  return [
    { title: "等待处理的事件", unit: "条", values: each((found) => sum(found.map(({ waiting }) => waiting))) },
    { title: "死信", unit: "条", values: each((found) => sum(found.map(({ dead }) => dead))), isBadAboveZero: true },
    { title: "未发出的事件", unit: "条", values: each((found) => sum(found.map(({ outbox_messages }) => outbox_messages))) },
    { title: "最久未发出", unit: "秒", values: each((found) => largest(found.map(({ outbox_seconds }) => Math.round(outbox_seconds)))) },
    { title: "待银行取走", unit: "条", values: each((found) => sum(found.map(({ to_bank }) => to_bank))) },
    { title: "待处理的银行反馈", unit: "条", values: each((found) => sum(found.map(({ from_bank }) => from_bank))) },
    { title: "每分钟短信", unit: "条", values: texts.map((one) => (one ? one.sent + one.failed + one.waiting : 0)) },
    { title: "发送失败的短信", unit: "条", values: texts.map((one) => one?.failed ?? 0), isBadAboveZero: true },
  ];
}

/** The newest known value of a trend; null if there is none within five minutes. */
export function newestOf({ values }: Trend): number | null {
  return values.slice(-5).reduce((newest, value) => value ?? newest, null);
}

/** A trend for those who do not see its line. */
export function inWords(trend: Trend): string {
  const known = trend.values.filter((value) => value !== null);
  if (!known.length) return "近一小时没有数据";
  const newest = newestOf(trend);
  const now = newest === null ? "现在未知" : `现在 ${count(newest)} ${trend.unit}`;
  return `${now}，近一小时最少 ${count(Math.min(...known))}、最多 ${count(Math.max(...known))} ${trend.unit}`;
}

/** The line of a trend within 100 by 28, as SVG paths have it: broken where values are unknown. */
export function lineOf(values: readonly (number | null)[]): string {
  const top = Math.max(1, ...values.map((value) => value ?? 0));
  const step = 100 / Math.max(1, values.length - 1);
  return values
    .map((value, index) => {
      if (value === null) return "";
      const begins = index === 0 || values[index - 1] === null;
      return `${begins ? "M" : "L"}${(index * step).toFixed(1)} ${(27 - (26 * value) / top).toFixed(1)}`;
    })
    .join("");
}

const minuteOf = ({ minute }: { minute: string }): number => Math.floor(new Date(minute).getTime() / MINUTE);

/** The sum of what is known; null where nothing is. */
function sum(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((total, value) => total + value, 0) : null;
}

function largest(values: readonly number[]): number | null {
  return values.length ? Math.max(...values) : null;
}
