import { expect, test } from "vitest";
import { period } from "@/console/reports/periods";

test("a period is counted from the month that it is in Shanghai", () => {
  const lastMinuteOfJanuary = new Date("2027-01-31T15:59:00Z");
  const shown = (days: readonly Date[]) => days.map((day) => `${day.getFullYear()}-${day.getMonth() + 1}`);
  expect(shown(period(0, 0, lastMinuteOfJanuary))).toEqual(["2027-1", "2027-1"]);
  expect(shown(period(-1, -1, lastMinuteOfJanuary))).toEqual(["2026-12", "2026-12"]);
  expect(shown(period(0, 0, new Date("2027-01-31T16:00:00Z")))).toEqual(["2027-2", "2027-2"]);
});
