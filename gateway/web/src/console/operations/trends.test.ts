// Tests of the last hour's trends.
import { expect, test } from "vitest";
import type { Overview } from "@/api/types";
import { inWords, lineOf, newestOf, trendsOf } from "@/console/operations/trends";

const NOTHING_KNOWN = { outbox_messages: 0, outbox_seconds: 0, waiting: 0, dead: 0, to_bank: null, from_bank: null };

function overview(parts: Partial<Overview> = {}): Overview {
  const at = "2026-11-30T08:30:20Z";
  return { at, samples: [], sms: [], sms_oldest_at: null, sms_failed: 0, changes: [], alerts: [], alerts_heard_at: null, ...parts };
}

function trend(title: string, { samples, sms }: Partial<Overview>) {
  return trendsOf(overview({ samples: samples ?? [], sms: sms ?? [] })).find((one) => one.title === title)!;
}

test("a minute's figure is the sum of all services", () => {
  const samples = ["membership", "batching"].map((service, index) => ({
    service,
    minute: "2026-11-30T08:29:00Z",
    ...NOTHING_KNOWN,
    waiting: 3 + index,
  }));
  const { values } = trend("等待处理的事件", { samples });
  expect(values).toHaveLength(60);
  expect(values.slice(-3)).toEqual([null, null, 7]);
});

test("a figure is unknown in a minute in which a service is silent that told it before", () => {
  const samples = [
    { service: "membership", minute: "2026-11-30T08:28:00Z", ...NOTHING_KNOWN, waiting: 3 },
    { service: "batching", minute: "2026-11-30T08:28:00Z", ...NOTHING_KNOWN, waiting: 5000 },
    { service: "membership", minute: "2026-11-30T08:29:00Z", ...NOTHING_KNOWN, waiting: 3 },
    { service: "batching", minute: "2026-11-30T08:29:00Z", ...NOTHING_KNOWN, waiting: null },
  ];
  expect(trend("等待处理的事件", { samples }).values.slice(-3)).toEqual([null, 5003, null]);
});

test("what only one service tells is known without the others", () => {
  const samples = [
    { service: "membership", minute: "2026-11-30T08:29:00Z", ...NOTHING_KNOWN },
    { service: "batching", minute: "2026-11-30T08:29:00Z", ...NOTHING_KNOWN, to_bank: 2, from_bank: 0 },
  ];
  expect(newestOf(trend("待银行取走", { samples }))).toBe(2);
});

test("the minute that goes on is not shown, for its samples are still to come", () => {
  const samples = [{ service: "membership", minute: "2026-11-30T08:30:00Z", ...NOTHING_KNOWN, dead: 1 }];
  expect(newestOf(trend("死信", { samples }))).toBeNull();
});

test("the newest value is at most five minutes old", () => {
  const at = (minute: string) => [{ service: "membership", minute, ...NOTHING_KNOWN, dead: 2 }];
  expect(newestOf(trend("死信", { samples: at("2026-11-30T08:25:00Z") }))).toBe(2);
  expect(newestOf(trend("死信", { samples: at("2026-11-30T08:24:00Z") }))).toBeNull();
});

test("text messages are counted with whatever became of them", () => {
  const sms = [{ minute: "2026-11-30T08:29:00Z", sent: 5, failed: 2, waiting: 1 }];
  expect(newestOf(trend("每分钟短信", { sms }))).toBe(8);
});

test("a trend is told in words", () => {
  const samples = [1, 12, 5].map((waiting, index) => ({
    service: "batching",
    minute: `2026-11-30T08:${27 + index}:00Z`,
    ...NOTHING_KNOWN,
    waiting,
  }));
  expect(inWords(trend("等待处理的事件", { samples }))).toBe("现在 5 条，近一小时最少 1、最多 12 条");
  expect(inWords(trend("等待处理的事件", {}))).toBe("近一小时没有数据");
});

test("a line is broken where values are unknown, and highest at the largest value", () => {
  expect(lineOf([0, 4, null, 2])).toBe("M0.0 27.0L33.3 1.0M100.0 14.0");
  expect(lineOf([null, null])).toBe("");
});
