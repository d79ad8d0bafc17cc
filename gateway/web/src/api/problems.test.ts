import { describe, expect, it } from "vitest";
import { ApiProblem } from "@/api/problems";

const wrong = (field: string, reason: string) => ({ field, code: "wrong", reason });
const WEAK = new ApiProblem(422, "invalid", "提交的内容有误", "请修改", [wrong("password", "太短"), wrong("members.3.name", "太长")]);
const CAPTCHA = new ApiProblem(422, "captcha_wrong", "验证码不正确", "已换一张", [wrong("captcha", "验证码不正确")]);

describe("what a problem says of fields", () => {
  it("is found by a field's name, and by that of what holds it", () => {
    expect(WEAK.reasonFor("password")).toBe("太短");
    expect(WEAK.reasonFor("members")).toBe("太长");
    expect(WEAK.reasonFor("pass")).toBeUndefined();
  });

  it("is told beside them where the form does not show them", () => {
    expect(WEAK.reasonsBeside(["members"])).toEqual(["太短"]);
    expect(WEAK.reasonsBeside(["pass"])).toEqual(["太短", "太长"]);
    expect(WEAK.isToldAt(["password", "members"])).toBe(false);
  });

  it("is told once where it is all that the title says: at its field, with what to do, or as the title", () => {
    expect(CAPTCHA.reasonFor("captcha")).toBe("验证码不正确。已换一张");
    expect(CAPTCHA.isToldAt(["captcha"])).toBe(true);

    expect(CAPTCHA.isToldAt([])).toBe(false);
    expect(CAPTCHA.reasonsBeside([])).toEqual([]);
  });
});
