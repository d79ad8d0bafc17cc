// The trends of the last hour: what the overview's samples say, minute by minute, of the whole system.
import type { Overview } from "@/api/types";
import { count } from "@/locales/format";

type Sample = Overview["samples"][number];

/** A figure minute by minute; null where not all services told it. */
export interface Trend {
  title: string;
  unit: string;
  values: (number | null)[];
  /** Whether more than nothing is bad. */
  isBadAboveZero?: boolean;
}

interface Figure {
  service: string;
  value: number | null;
}

const MINUTE = 60_000;
const MINUTES = 60;

/** The trends of the hour before the answer; the minute that goes on is left out, for its samples are still to come. */
export function trendsOf({ at, samples, sms }: Overview): Trend[] {
  const last = Math.floor(new Date(at).getTime() / MINUTE) - 1;
  const minutes = Array.from({ length: MINUTES }, (_, index) => last - MINUTES + 1 + index);
  const ofMinute = minutes.map((minute) => samples.filter((sample) => minuteOf(sample) === minute));
  const each = (figure: (sample: Sample) => number | null, over: (values: number[]) => number = sum) => {
    const figures = ofMinute.map((found) => found.map((sample): Figure => ({ service: sample.service, value: figure(sample) })));
    return overAll(figures, over);
  };
  const texts = minutes.map((minute) => sms.find((one) => minuteOf(one) === minute));
  return [
    { title: "等待处理的事件", unit: "条", values: each(({ waiting }) => waiting) },
    { title: "死信", unit: "条", values: each(({ dead }) => dead), isBadAboveZero: true },
    { title: "未发出的事件", unit: "条", values: each(({ outbox_messages }) => outbox_messages) },
    { title: "最久未发出", unit: "秒", values: each(({ outbox_seconds }) => Math.round(outbox_seconds), largest) },
    { title: "待银行取走", unit: "条", values: each(({ to_bank }) => to_bank) },
    { title: "待处理的银行反馈", unit: "条", values: each(({ from_bank }) => from_bank) },
    { title: "每分钟短信", unit: "条", values: texts.map((one) => (one ? one.sent + one.failed + one.waiting : 0)) },
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

/**
 * The figures of each minute as one; null where a service is silent that told this figure within the hour, for a sum
 * without it would fall just when it fails.
 */
function overAll(figures: readonly (readonly Figure[])[], over: (values: number[]) => number): (number | null)[] {
  const told = figures.map((found) => new Map(found.flatMap(({ service, value }) => (value === null ? [] : [[service, value]]))));
  const services = new Set(told.flatMap((found) => [...found.keys()]));
  return told.map((found) => (found.size && found.size === services.size ? over([...found.values()]) : null));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const largest = (values: readonly number[]): number => Math.max(...values);
