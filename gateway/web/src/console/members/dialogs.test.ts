// @vitest-environment happy-dom
// Tests of the dialogs of this folder.
import type { ComponentPublicInstance } from "vue";
import { afterEach, describe, expect, it } from "vitest";
import ExportDialog from "@/console/members/ExportDialog.vue";
import LeaveDialog from "@/console/members/LeaveDialog.vue";
import MemberDialog from "@/console/members/MemberDialog.vue";
import PersonDialog from "@/console/members/PersonDialog.vue";
import WholeNumbersDialog from "@/console/members/WholeNumbersDialog.vue";
import { describeDialog, openDialog, type DialogCase } from "@/testing/dialogs";

const member = {
  member_id: "m-1",
  name: "王芳",
  document_type: "resident_id",
  document_number: "3101**********0021",
  document_expiry: "2099-12-31",
  phone: "138****0001",
  affiliation: "employer",
  nationality: "CHN",
  retirement_category: null,
  special_retirement_month: null,
  address: null,
};
describeDialog("a member who leaves", {
  dialog: LeaveDialog,
  props: { member },
  opensBy: "model",
  title: "办理退会",
  shows: { 原因: "" },
  refuses: { 原因: "请选择原因" },
  fills: { 原因: "retired" },
  sends: { method: "POST", path: "/api/v1/members/m-1/leave", body: { because: "retired" } },
  answer: member,
  problemAt: ["because", "原因"],
  tells: "王芳 已办理退会",
  emits: "left",
});

const newMember: DialogCase = {
  dialog: MemberDialog,
  opensBy: "model",
  title: "登记会员",
  shows: {
    姓名: "",
    证件类型: "resident_id",
    证件号码: "",
    证件到期日: "",
    出生日期: "",
    性别: "",
    手机号: "",
    会员类别: "employer",
    国籍: "",
    地址: "",
  },
  empties: { 手机号: "12" },
  refuses: { 姓名: "请填写姓名", 证件号码: "请填写证件号码", 手机号: "请填写 11 位手机号" },
  fills: { 姓名: "王芳 ", 证件类型: "passport", 证件号码: "E12345678", 国籍: "FRA" },
  sends: {
    method: "POST",
    path: "/api/v1/members",
    body: { name: "王芳", document_type: "passport", document_number: "E12345678", affiliation: "employer", nationality: "FRA" },
  },
  answer: member,
  problemAt: ["document_number", "证件号码"],
  tells: "已登记，会员编号稍后生成",
  emits: "saved",
};

describeDialog("a new member", newMember);

describeDialog("a member who is changed", {
  dialog: MemberDialog,
  props: { member },
  opensBy: "model",
  title: "修改会员信息",
  shows: { 姓名: "王芳", 证件号码: "", 证件到期日: "2099-12-31", 手机号: "", 国籍: "CHN", 地址: "" },
  empties: { 姓名: "" },
  refuses: { 姓名: "请填写姓名" },
  fills: { 地址: "四平路 1 号" },
  sends: { method: "PATCH", path: "/api/v1/members/m-1", body: { address: "四平路 1 号" } },
  answer: member,
  problemAt: ["address", "地址"],
  tells: "会员信息已修改",
  emits: "saved",
});

describe("a member's number", () => {
  it("fills in the birth date and the sex that it tells", async () => {
    const open = await openDialog(newMember);

    await open.fill({ 证件号码: "11010519491231002X" });

    expect(open.valuesOf({ 出生日期: "", 性别: "" })).toEqual({ 出生日期: "1949-12-31", 性别: "female" });
  });

  it("that is wrong is told on leaving the field", async () => {
    const open = await openDialog(newMember);

    await open.fill({ 证件号码: "110105194912310021" });
    expect(open.reasons()).toEqual({});
    await open.leave("证件号码");

    expect(Object.keys(open.reasons())).toEqual(["证件号码"]);
  });
});

describeDialog("whole numbers", {
  dialog: WholeNumbersDialog,
  props: { member },
  opensBy: "model",
  title: "显示完整号码",
  shows: { 查看原因: "" },
  empties: { 查看原因: "核" },
  refuses: { 查看原因: "请填写原因，至少 2 个字" },
  fills: { 查看原因: " 核对 " },
  sends: { method: "POST", path: "/api/v1/members/m-1/reveal", body: { reason: "核对" }, isUnderKey: false },
  answer: { document_number: "310101199001010021" },
  problemAt: ["reason", "查看原因"],
  emits: "shown",
});

describeDialog("a person who is looked for", {
  dialog: PersonDialog,
  opensBy: "model",
  title: "会员核查",
  shows: { 证件号码: "" },
  refuses: { 证件号码: "请填写完整的证件号码" },
  fills: { 证件号码: " 310115196501150016 " },
  sends: {
    method: "POST",
    path: "/api/v1/members/find",
    body: { document_number: "310115196501150016" },
    isUnderKey: false,
  },
  answer: { items: [] },
  problemAt: ["document_number", "证件号码"],
  emits: "found",
});

describeDialog("an export of whole numbers", {
  dialog: ExportDialog,
  props: { filters: { name: "王", card_state: "" }, asked: { name: "王" }, matching: "3 人" },
  opensBy: "model",
  title: "导出会员名单",
  shows: {},
  prepares: ({ wrapper }) =>
    (wrapper.findComponent({ name: "ElRadioGroup" }).vm as ComponentPublicInstance).$emit("update:modelValue", true),
  refuses: { 导出原因: "请填写原因，至少 2 个字" },
  fills: { 导出原因: "年度核对 " },
  sends: {
    method: "POST",
    path: "/api/v1/members/export",
    body: { filter: { name: "王" }, whole_numbers: true, reason: "年度核对" },
    isUnderKey: false,
  },
  answer: {},
  problemAt: ["reason", "导出原因"],
  tells: "会员名单已导出",
});

describe("a member whose card is being made", () => {
  afterEach(() => document.body.replaceChildren());

  it.each([
    ["pending", true, "待办会员列表"],
    ["submitted", true, "请等待本次办卡结束"],
    ["issued", false, ""],
    ["none", false, ""],
  ])("offers no change that would be refused: %s", async (card_state, isFixed, told) => {
    const open = await openDialog({ ...newMember, props: { member: { ...member, card_state } } });
    const isDisabled = (label: string) => {
      const items = [...document.querySelectorAll(".el-form-item")];
      return items.find((item) => item.querySelector(".el-form-item__label")?.textContent === label)!.querySelector("input")!.disabled;
    };

    expect([isDisabled("姓名"), isDisabled("证件号码"), isDisabled("地址")]).toEqual([isFixed, isFixed, false]);
    expect(open.text().includes("会员正在办卡")).toBe(isFixed);
    expect(open.text()).toContain(told === "待办会员列表" ? "请在" : told);
  });
});
