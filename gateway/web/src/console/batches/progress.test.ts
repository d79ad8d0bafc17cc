// Tests of the bank's progress with a batch.
import { describe, expect, it } from "vitest";
import { undecided, whyNotRevocable } from "@/console/batches/progress";

const COUNTS = { total: 5, issued: 2, refused: 1, released: 0 };

describe("a batch's progress", () => {
  it("leaves to the bank whom it has neither issued nor refused and whom nobody released", () => {
    expect(undecided(COUNTS)).toBe(2);
  });

  it.each([
    [true, null, COUNTS, undefined],
    [true, "rejected", COUNTS, undefined],
    [false, "requested", COUNTS, "已有撤销申请待审核"],
    [false, "approved", COUNTS, "该批次已撤销"],
    [false, "closed", { ...COUNTS, issued: 4 }, "银行已全部反馈，不能撤销"],
    [false, null, { ...COUNTS, issued: 4 }, "银行已全部反馈，不能撤销"],
    [false, null, COUNTS, "本工会没有上级工会，无法审核撤销申请"],
  ] as const)("revocable: %s, request: %s", (revocable, revocation_state, counts, reason) => {
    expect(whyNotRevocable({ ...counts, revocable, revocation_state })).toBe(reason);
  });
});
