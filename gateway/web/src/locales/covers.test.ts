// Tests of enrolments in words.
import { describe, expect, it } from "vitest";
import { isLastYear, kindsInWords, obstacles, periodOf } from "@/locales/covers";

describe("an enrolment in words", () => {
  it("names what it insures in one order, and in tables briefly", () => {
    const kinds = ["death", "hospital", "accident", "illness"];
    expect(kindsInWords({ kinds })).toBe("住院保障、重大疾病保障、意外伤害保障、身故保障");
    expect(kindsInWords({ kinds }, true)).toBe("住院、重大疾病、意外伤害、身故");
    expect(kinds[0]).toBe("death");
  });

  it("names its days, and says that one which ended before its first day had none", () => {
    expect(periodOf({ covers_from: "2026-11-26", covers_to: "2026-12-31" })).toBe("2026-11-26 至 2026-12-31");
    expect(periodOf({ covers_from: "2026-01-01", covers_to: "2025-12-31" })).toBe("未生效（原定 2026-01-01 起）");
  });

  it("says what keeps the member from being insured again", () => {
    const words = (...given: Parameters<typeof obstacles>) => obstacles(...given).map(({ text }) => text);
    expect(words({ left_because: null, card_status: "active" })).toEqual([]);
    expect(words({ left_because: "retired", card_status: "closed" })).toEqual(["已退休", "已销卡"]);
    expect(words({ left_because: "left", card_status: null })).toEqual(["已退会"]);
  });

  it.each([
    ["left", "covered", true],
    ["retired", "upcoming", true],
    ["left", "expired", false],
    ["left", "ended", false],
    [null, "covered", false],
  ] as const)("is the last of a member who has left while it lasts: %s, %s", (left_because, status, isLast) => {
    expect(isLastYear({ left_because, status })).toBe(isLast);
  });
});
