// Tests of a member's form: what it sends and refuses.
import { describe, expect, it } from "vitest";
import type { Member } from "@/api/types";
import { changesOf, emptyForm, formOf, wrongFields } from "@/console/members/memberForm";

const TODAY = "2026-11-25";
const aMember = (facts: Partial<Member> = {}) =>
  ({ name: "王芳", document_type: "resident_id", phone: "139****0001", address: "闸殷路1号", ...facts }) as Member;

describe("a member's form", () => {
  it("sends of a new member only what was filled in", () => {
    const form = { ...emptyForm(), name: " 王芳 ", document_number: "31010119750308002X" };

    const given = { name: "王芳", document_type: "resident_id", document_number: "31010119750308002X" };
    expect(changesOf(form)).toEqual({ ...given, affiliation: "employer" });
  });

  it("sends of a known member only what differs, and never what was masked", () => {
    const member = aMember();

    expect(changesOf({ ...formOf(member), address: "" }, member)).toEqual({ address: null });
  });

  it("asks for a number only of a new member", () => {
    expect(wrongFields({ ...emptyForm(), name: "王芳" }, false, TODAY).document_number).toBe("请填写证件号码");
    expect(wrongFields(formOf(aMember()), true, TODAY)).toEqual({});
  });

  it("refuses what the server would refuse, as one types", () => {
    const form = { ...emptyForm(), name: "王芳", document_number: "12", phone: "123", nationality: "cn", document_expiry: "2020-01-01" };

    expect(Object.keys(wrongFields(form, false, TODAY)).sort()).toEqual(["document_expiry", "document_number", "nationality", "phone"]);
  });
});
