import { describe, expect, it } from "vitest";
import { dayOfParts, daysOf, MONTHS, partsOf } from "@/phone/wheels";

describe("a day by wheels", () => {
  it.each(["2040-01-02", "9999-12-31", ""])("%s comes back as it was", (day) => expect(dayOfParts(partsOf(day))).toBe(day));
  it("an open part shows", () => expect(dayOfParts({ year: "2040", month: "01", day: "" })).toBe("2040-01-"));
  it.each([
    ["2027", "02", 28],
    ["2028", "02", 29],
    ["2100", "02", 28],
    ["2027", "04", 30],
    ["2027", "12", 31],
    ["", "02", 29],
    ["2027", "", 31],
  ])("%s-%s has %i days", (year, month, count) => expect(daysOf({ year, month, day: "" })).toHaveLength(count));
  it("a year has twelve months", () => expect([MONTHS[0], MONTHS[11], MONTHS.length]).toEqual(["01", "12", 12]));
});
