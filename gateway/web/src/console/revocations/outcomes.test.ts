// Tests of the texts on the effects of a decision.
import { describe, expect, it } from "vitest";
import { whatApprovalDoes, whatRejectionDoes } from "@/console/revocations/outcomes";

describe("what a decision does", () => {
  it("names whom approval frees, and nobody else where the bank has decided on nobody", () => {
    const said = whatApprovalDoes({ total: 81, issued: 0, refused: 0, released: 0 });

    expect(said).toContain("81 人将释放");
    expect(said).not.toContain("不受影响");
  });

  it("names whom approval no longer touches", () => {
    const said = whatApprovalDoes({ total: 81, issued: 20, refused: 1, released: 0 });

    expect(said).toContain("60 人将释放");
    expect(said).toContain("已办卡的 20 人和银行已退回的 1 人不受影响");
  });

  it("names who stays locked after a rejection", () => {
    expect(whatRejectionDoes({ total: 81, issued: 20, refused: 1, released: 0 })).toContain("60 人继续锁定");
  });
});
