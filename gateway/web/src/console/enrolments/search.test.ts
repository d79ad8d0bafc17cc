// Tests of what the list of enrolments is asked for, and of what it says where it is empty.
import { describe, expect, it } from "vitest";
import type { Enrolments } from "@/api/types";
import { EMPTY, emptyText, isWholeMemberNo, otherYears, usualYear, withYear } from "@/console/enrolments/search";

/** Already 2027 in Shanghai. */
const NEW_YEAR = new Date("2026-12-31T17:00:00Z");
const answered = (is_connected: boolean) => ({ items: [], total: 0, is_connected }) as unknown as Enrolments;

describe("the year of a search", () => {
  it("is this year in Shanghai where none is chosen", () => {
    expect(withYear({ ...EMPTY, name: "王" }, NEW_YEAR)).toEqual({ ...EMPTY, name: "王", year: 2027 });
    expect(withYear({}, NEW_YEAR)).toEqual({ year: 2027 });
    expect(usualYear(NEW_YEAR)).toBe("今年 2027");
  });

  it("is a number, or none for all years", () => {
    expect(withYear({ year: "2025" }, NEW_YEAR)).toEqual({ year: 2025 });
    expect(withYear({ year: "all", way: "immediate" }, NEW_YEAR)).toEqual({ way: "immediate" });
    expect(withYear({ year: "二〇二五" }, NEW_YEAR)).toEqual({ year: "二〇二五" });
  });

  it("is offered from the next one back, beside all of them", () => {
    const offered = otherYears(NEW_YEAR).map(({ label }) => label);
    expect(offered.slice(0, 3)).toEqual(["全部", "2028", "2026"]);
    expect(offered).not.toContain("2027");
  });
});

describe("a member's number", () => {
  it("searches as soon as it is whole", () => {
    expect(["0070352057", "007035205", "00703520571"].map(isWholeMemberNo)).toEqual([true, false, false]);
  });
});

describe("an empty list", () => {
  const says = (filters: Partial<typeof EMPTY>, isWithBelow = false, isConnected = true) =>
    emptyText(answered(isConnected), { ...EMPTY, ...filters }, isWithBelow, NEW_YEAR);

  it("says where the mutual-aid society is not connected, whatever was asked", () => {
    expect(says({ name: "王" }, false, false)).toBe("尚未接入市职工保障互助会，暂无参保信息");
  });

  it("leads back from filters that nothing fits", () => {
    expect(says({ status: "ended" })).toBe("没有符合条件的参保信息，请调整或重置查询条件");
    expect(says({ member_no: "0070352057", year: "all" }, true)).toContain("请调整或重置查询条件");
  });

  it("names the union and the year that have none", () => {
    expect(says({})).toBe("本工会还没有 2027 年度的参保信息，其他年度请在“年度”中选择");
    expect(says({ year: "2025" }, true)).toContain("所选工会及其下级工会还没有 2025 年度的参保信息");
    expect(says({ year: "all", union_id: "u", below: "false" })).toBe("所选工会还没有参保信息");
  });
});
