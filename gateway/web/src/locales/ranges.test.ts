// Tests of the ranges of days, which are Shanghai's.
import { describe, expect, it } from "vitest";
import { dayOf } from "@/locales/format";
import { daysOf, RANGES } from "@/locales/ranges";

const plain = (date: Date) => `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
const range = (name: string, now: string) => daysOf(RANGES[name]!, new Date(now)).map(plain);

describe("a range of days", () => {
  it("ends on Shanghai's today, also where it is still yesterday elsewhere", () => {
    expect(dayOf("2026-11-30T20:00:00Z")).toBe("2026-12-01");
    expect(range("今天", "2026-11-30T20:00:00Z")).toEqual(["2026-12-1", "2026-12-1"]);
    expect(range("本月", "2026-11-30T20:00:00Z")).toEqual(["2026-12-1", "2026-12-1"]);
  });

  it("counts today among the days", () => {
    expect(range("近7天", "2026-03-03T04:00:00Z")).toEqual(["2026-2-25", "2026-3-3"]);
    expect(range("近30天", "2026-03-03T04:00:00Z")).toEqual(["2026-2-2", "2026-3-3"]);
  });

  it("knows where months begin and end", () => {
    expect(range("本月", "2026-11-29T04:00:00Z")).toEqual(["2026-11-1", "2026-11-29"]);
    expect(range("上月", "2026-03-15T04:00:00Z")).toEqual(["2026-2-1", "2026-2-28"]);
    expect(range("上月", "2026-01-15T04:00:00Z")).toEqual(["2025-12-1", "2025-12-31"]);
  });
});
