// Tests of what a member must complete.
import { describe, expect, it } from "vitest";
import { LONG_TERM, whatIsWrong } from "@/phone/profile";

const TODAY = "2026-11-25";
const RIGHT = { document_issued: "2020-01-02", document_expiry: "2040-01-02", address: "上海市长宁区古北路555弄8号" };

describe("what a member completes", () => {
  it.each([RIGHT, { ...RIGHT, document_expiry: LONG_TERM }, { ...RIGHT, document_issued: "" }, { ...RIGHT, document_expiry: TODAY }])(
    "is right: %o",
    (given) => expect(Object.values(whatIsWrong(given, TODAY)).join("")).toBe(""),
  );

  it.each([
    [{ ...RIGHT, document_expiry: "2026-11-24" }, "document_expiry", "证件已到期，请换领新证后再申请"],
    [{ ...RIGHT, document_expiry: "" }, "document_expiry", "请填写证件到期日"],
    [{ ...RIGHT, document_issued: "2026-11-26" }, "document_issued", "签发日不能晚于今天"],
    [{ ...RIGHT, address: "  " }, "address", "请填写联系地址"],
  ] as const)("is told where it is wrong: %o", (given, field, reason) => {
    expect(whatIsWrong(given, TODAY)[field]).toBe(reason);
  });
});
