// Tests of when a channel can be submitted.
import { describe, expect, it } from "vitest";
import type { PendingCounts } from "@/api/types";
import { whyNotSubmittable } from "@/console/pending/submittable";

const counts = (ordinary: Partial<PendingCounts["ordinary"]>, special: Partial<PendingCounts["special"]> = {}) => ({
  ordinary: { total: 0, passed: 0, failed: 0, unchecked: 0, checking: 0, waiting: 0, overdue: 0, ...ordinary },
  special: {
    total: 0,
    passed: 0,
    failed: 0,
    unchecked: 0,
    checking: 0,
    waiting: 0,
    overdue: 0,
    complete: 0,
    incomplete: 0,
    ready: 0,
    ...special,
  },
});

describe("a channel can be submitted", () => {
  it("when all of it have passed", () => {
    expect(whyNotSubmittable("ordinary", counts({ total: 2, passed: 2 }))).toBeUndefined();
  });

  it("but not while one has failed, waits or was not checked", () => {
    expect(whyNotSubmittable("ordinary", counts({ total: 2, passed: 1, waiting: 1 }))).toContain("请移除");
  });

  it("when the information of all is complete and all have passed, whatever the other channel holds", () => {
    expect(whyNotSubmittable("special", counts({ total: 3 }, { total: 1, complete: 1, passed: 1 }))).toBeUndefined();
    expect(whyNotSubmittable("special", counts({}, { total: 1, complete: 1, unchecked: 1 }))).toContain("校验");
    expect(whyNotSubmittable("special", counts({}, { total: 2, complete: 1, incomplete: 1 }))).toContain("请移除");
  });

  it("but not empty", () => {
    expect(whyNotSubmittable("ordinary", counts({}))).toBe("没有可提交的会员");
  });
});
