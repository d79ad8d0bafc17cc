// @vitest-environment happy-dom
// Tests of the dialogs of this folder.
import { expect } from "vitest";
import CompleteDialog from "@/console/pending/CompleteDialog.vue";
import ExpiryDialog from "@/console/pending/ExpiryDialog.vue";
import SubmitDialog from "@/console/pending/SubmitDialog.vue";
import SwitchDialog from "@/console/pending/SwitchDialog.vue";
import { describeDialog } from "@/testing/dialogs";

const entry = {
  application_id: "p-1",
  name: "王芳",
  document_type: "passport",
  document_number: "E1234****",
  document_expiry: null,
  nationality: null,
};
const path = "/api/v1/pending/p-1";
const outlet = {
  code: "yp-1",
  branch_code: "yangpu",
  name: "五角场网点",
  district: "杨浦区",
  address: "四平路 1 号",
  phone: "021-65556666",
  counting: { month: "2026-12", last_day: "2026-12-20", notified_by: "2026-12-14" },
};
const consent = { version: "2026-1", title: "告知同意书", paragraphs: ["同意"], in_force_from: "2026-01-01" };

describeDialog("the information of one person", {
  dialog: CompleteDialog,
  props: { entry },
  opensBy: "entry",
  title: "完善信息",
  shows: { 证件类型: "passport", 证件号码: "", 证件到期日: "", 国籍: "" },
  empties: { 证件到期日: "2020-01-01" },
  refuses: { 证件到期日: "证件已到期，请核对证件原件", 国籍: "请选择国籍" },
  fills: { 证件号码: " E12345678 ", 证件到期日: "2099-12-31", 国籍: "FRA" },
  sends: {
    method: "PATCH",
    path,
    body: { document_type: "passport", document_number: "E12345678", document_expiry: "2099-12-31", nationality: "FRA" },
  },
  answer: entry,
  problemAt: ["document_number", "证件号码"],
  tells: "王芳 的信息已完善，请提交系统校验",
  emits: "saved",
});

describeDialog("the information of one person whose number is right", {
  dialog: CompleteDialog,
  props: { entry: { ...entry, document_type: "resident_id", document_expiry: "2099-12-31" } },
  opensBy: "entry",
  title: "完善信息",
  shows: { 证件类型: "resident_id", 证件号码: "", 证件到期日: "2099-12-31", 国籍: "CHN" },
  empties: { 证件到期日: "" },
  refuses: { 证件到期日: "请填写证件到期日" },
  fills: {},
  sends: { method: "PATCH", path, body: { document_type: "resident_id", document_expiry: "2099-12-31", nationality: "CHN" } },
  answer: entry,
  problemAt: ["nationality", "国籍"],
  emits: "saved",
});

describeDialog("the expiry date of a document", {
  dialog: ExpiryDialog,
  props: { entry: { ...entry, document_expiry: "2026-01-31" } },
  opensBy: "entry",
  title: "修改证件到期日",
  shows: { 证件到期日: "2026-01-31" },
  empties: { 证件到期日: "2020-01-01" },
  refuses: { 证件到期日: "证件已到期，请核对证件原件；已换领新证的，请填写新证的到期日" },
  fills: { 证件到期日: "2099-12-31" },
  sends: { method: "PATCH", path, body: { document_expiry: "2099-12-31" } },
  answer: entry,
  problemAt: ["document_expiry", "证件到期日"],
  tells: "王芳 的证件到期日已修改，请重新提交系统校验",
  emits: "saved",
});

describeDialog("a switch to the special channel", {
  dialog: SwitchDialog,
  props: { entry },
  opensBy: "entry",
  title: "转换至特殊办卡通道",
  shows: { 原因: "", 说明: "" },
  refuses: { 原因: "请选择转入特殊办卡通道的原因" },
  fills: { 原因: "other", 说明: " 姓名过长 " },
  sends: { method: "PATCH", path, body: { channel: "special", channel_reason_code: "other", channel_note: "姓名过长" } },
  answer: entry,
  problemAt: ["channel_note", "说明"],
  tells: "王芳 已转换至特殊办卡通道",
  emits: "saved",
});

describeDialog("a switch for another reason than those that have a name", {
  dialog: SwitchDialog,
  props: { entry },
  opensBy: "entry",
  title: "转换至特殊办卡通道",
  shows: { 原因: "", 说明: "" },
  empties: { 原因: "other" },
  refuses: { 说明: "请说明转入特殊办卡通道的原因" },
  fills: { 原因: "document" },
  sends: { method: "PATCH", path, body: { channel: "special", channel_reason_code: "document" } },
  answer: entry,
  problemAt: ["channel_reason_code", "原因"],
  emits: "saved",
});

describeDialog("a submission after another one, which is shown with what is remembered", {
  dialog: SubmitDialog,
  props: { channel: "ordinary", people: 12 },
  opensBy: "model",
  reads: {
    "/api/v1/pending/submission": {
      outlet,
      contact_name: "王芳",
      contact_phone: "138****5678",
    },
    "/api/v1/consent-text": consent,
  },
  title: "请核对后确认提交",
  shows: {},
  refuses: { "": "请先由会员签署同意书，再勾选确认" },
  fills: {},
  alsoDoes: async ({ tick, text }) => {
    expect(text()).toContain("计入 12 月（2026-12-20 及以前提交的计入当月）");
    expect(text()).toContain("五角场网点四平路 1 号");
    expect(text()).toContain("138****5678");
    await tick("input[type=checkbox]");
  },
  sends: {
    method: "POST",
    path: "/api/v1/batches",
    body: {
      channel: "ordinary",
      branch_code: "yangpu",
      outlet_code: "yp-1",
      contact_name: "王芳",
      consent_version: "2026-1",
    },
  },
  answer: { batch_no: "B-1", total: 12, outlet, warnings: [] },
  tells: "已形成办卡批次 B-1",
  emits: "submitted",
});

describeDialog("a submission, which is shown once more before it is sent", {
  dialog: SubmitDialog,
  props: { channel: "ordinary", people: 12 },
  opensBy: "model",
  reads: {
    "/api/v1/outlets": { items: [outlet], total: 1 },
    "/api/v1/consent-text": consent,
  },
  title: "完善网点信息",
  shows: { 联系人: "简朗", 联系方式: "" },
  empties: { 联系人: " " },
  refuses: {
    "": "请先由会员签署同意书，再勾选确认",
    联系人: "请填写联系人",
    联系方式: "请填写正确的手机号或固定电话",
    经办网点: "请选择经办网点",
  },
  fills: { 联系方式: " 021-65556666" },
  alsoDoes: async ({ tick, send }) => {
    await tick("input[type=radio]");
    await tick("input[type=checkbox]");
    await send();
  },
  sends: {
    method: "POST",
    path: "/api/v1/batches",
    body: {
      channel: "ordinary",
      branch_code: "yangpu",
      outlet_code: "yp-1",
      contact_name: "简朗",
      contact_phone: "021-65556666",
      consent_version: "2026-1",
    },
  },
  answer: { batch_no: "B-1", total: 12, outlet, warnings: [] },
  problemAt: ["contact_phone", "联系方式"],
  tells: "已形成办卡批次 B-1",
  emits: "submitted",
});
