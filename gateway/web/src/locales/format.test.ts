// Tests of formatted times, dates and numbers.
import { describe, expect, it } from "vitest";
import { ago, dateTime, expiry, masked, month } from "@/locales/format";

describe("words for times", () => {
  it("are Shanghai's, whatever the computer is set to", () => {
    expect(dateTime("2026-11-24T17:30:00+00:00")).toBe("2026-11-25 01:30");
  });

  it("say how long ago something was, and beyond a day the date", () => {
    const now = new Date("2026-11-25T12:00:00Z");

    expect(ago("2026-11-25T11:55:00Z", now)).toBe("5 分钟前");
    expect(ago("2026-11-25T09:00:00Z", now)).toBe("3 小时前");
    expect(ago("2026-11-20T00:00:00Z", now)).toBe("2026-11-20 08:00");
  });

  it("call a document that is valid for life 长期", () => {
    expect(expiry("9999-12-31")).toBe("长期");
    expect(expiry(null)).toBe("–");
  });

  it("call a month by its number", () => {
    expect(month("2026-12")).toBe("12 月");
    expect(month("2027-02")).toBe("2 月");
  });
});

describe("a masked number", () => {
  it("shows what is not hidden, and is short", () => {
    expect(masked("3****************9")).toBe("3*****9");
    expect(masked(null)).toBe("–");
  });
});
