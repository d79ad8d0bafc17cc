import { describe, expect, test } from "vitest";
import type { Figures } from "@/api/types";
import { change, shown } from "@/console/reports/figures";

const NONE: Figures = {
  members: 0,
  cards: 0,
  card_rate: null,
  queued: 0,
  passed: 0,
  failed: 0,
  submitted: 0,
  issued: 0,
  refused: 0,
  revoked: 0,
  median_days: null,
  p90_days: null,
  waiting_submission: null,
  waiting_bank: null,
};
const figures = (given: Partial<Figures>): Figures => ({ ...NONE, ...given });

describe("figures of a report", () => {
  test("are shown in their own units, and as a dash where they do not apply", () => {
    const given = figures({ members: 12345, card_rate: 0.5678, median_days: 12 });
    expect([shown("members", given), shown("card_rate", given), shown("median_days", given)]).toEqual(["12,345", "56.8%", "12 天"]);
    expect(shown("p90_days", given)).toBe("–");
  });

  test("change by a share, a rate in points, and days in days", () => {
    const [now, before] = [figures({ issued: 150, card_rate: 0.5, p90_days: 9 }), figures({ issued: 100, card_rate: 0.515, p90_days: 11 })];
    expect(change("issued", now, before)).toBe("+50.0%");
    expect(change("card_rate", now, before)).toBe("-1.5 个百分点");
    expect(change("p90_days", now, before)).toBe("-2 天");
    expect(change("issued", before, before)).toBe("0.0%");
  });

  test("have no change where there was nothing before", () => {
    expect(change("issued", figures({ issued: 3 }), NONE)).toBeUndefined();
    expect(change("waiting_bank", figures({ waiting_bank: 3 }), NONE)).toBeUndefined();
  });
});
