// @vitest-environment happy-dom
// Tests of the dialogs of this folder.
import BranchDialog from "@/console/places/BranchDialog.vue";
import OutletDialog from "@/console/places/OutletDialog.vue";
import { describeDialog } from "@/testing/dialogs";

const branch = {
  code: "yangpu",
  name: "杨浦支行",
  charset: "gbk",
  closed: false,
  union_hands_out: false,
  by_file: false,
  cut_off_day: 25,
  cut_off_dates: ["2027-02-03"],
};
const outlet = {
  code: "yp-1",
  branch_code: "yangpu",
  name: "五角场网点",
  district: "杨浦区",
  address: "四平路 1 号",
  phone: "021-65556666",
  closed: false,
  counting: { month: "2026-12", last_day: "2026-12-20", notified_by: "2026-12-14" },
};

describeDialog("a new branch", {
  dialog: BranchDialog,
  opensBy: "model",
  title: "新增发卡支行",
  shows: { 支行代码: "", 支行名称: "", 银行可处理的字符集: "gb18030", 每月截止日: "" },
  refuses: { 支行代码: "2 至 20 个字符，只含小写字母、数字和 -", 支行名称: "请填写支行名称" },
  fills: { 支行代码: "yangpu", 支行名称: " 杨浦支行 ", 银行可处理的字符集: "gbk" },
  sends: {
    method: "POST",
    path: "/api/v1/branches",
    body: {
      code: "yangpu",
      name: "杨浦支行",
      charset: "gbk",
      union_hands_out: false,
      by_file: false,
      cut_off_day: null,
      cut_off_dates: [],
    },
  },
  answer: branch,
  problemAt: ["code", "支行代码"],
  tells: "发卡支行已新增",
  emits: "saved",
});

describeDialog("a branch that is changed", {
  dialog: BranchDialog,
  props: { branch },
  opensBy: "model",
  title: "修改发卡支行",
  shows: { 支行代码: "yangpu", 支行名称: "杨浦支行", 银行可处理的字符集: "gbk", 每月截止日: "25" },
  empties: { 支行名称: " ", 每月截止日: "32" },
  refuses: { 支行名称: "请填写支行名称", 每月截止日: "请填写 1 至 31 的数字，或留空" },
  fills: { 支行名称: "杨浦分行", 每月截止日: "18" },
  sends: {
    method: "PATCH",
    path: "/api/v1/branches/yangpu",
    body: { name: "杨浦分行", charset: "gbk", union_hands_out: false, by_file: false, cut_off_day: 18, cut_off_dates: ["2027-02-03"] },
  },
  answer: branch,
  problemAt: ["charset", "银行可处理的字符集"],
  tells: "发卡支行已修改",
  emits: "saved",
});

describeDialog("a new outlet", {
  dialog: OutletDialog,
  props: { branches: [branch] },
  opensBy: "model",
  title: "新增经办网点",
  shows: { 发卡支行: "", 网点代码: "", 网点名称: "", 所在区: "", 地址: "", 联系电话: "" },
  refuses: {
    发卡支行: "请选择发卡支行",
    网点代码: "2 至 20 个字符，只含小写字母、数字和 -",
    网点名称: "请填写网点名称",
    所在区: "请填写所在区",
    地址: "请填写地址",
    联系电话: "请填写手机号或固定电话，如 021-65556666",
  },
  fills: {
    发卡支行: "yangpu",
    网点代码: "yp-1",
    网点名称: "五角场网点 ",
    所在区: "杨浦区",
    地址: "四平路 1 号",
    联系电话: " 021-65556666",
  },
  sends: {
    method: "POST",
    path: "/api/v1/outlets",
    body: { code: "yp-1", branch_code: "yangpu", name: "五角场网点", district: "杨浦区", address: "四平路 1 号", phone: "021-65556666" },
  },
  answer: outlet,
  problemAt: ["code", "网点代码"],
  tells: "经办网点已新增",
  emits: "saved",
});

describeDialog("an outlet that is changed", {
  dialog: OutletDialog,
  props: { branches: [branch], outlet },
  opensBy: "model",
  title: "修改经办网点",
  shows: { 发卡支行: "yangpu", 网点代码: "yp-1", 网点名称: "五角场网点", 所在区: "杨浦区", 地址: "四平路 1 号", 联系电话: "021-65556666" },
  empties: { 地址: "", 联系电话: "12" },
  refuses: { 地址: "请填写地址", 联系电话: "请填写手机号或固定电话，如 021-65556666" },
  fills: { 地址: "四平路 2 号" },
  sends: {
    method: "PATCH",
    path: "/api/v1/outlets/yp-1",
    body: { name: "五角场网点", district: "杨浦区", address: "四平路 2 号", phone: "021-65556666" },
  },
  answer: outlet,
  problemAt: ["phone", "联系电话"],
  tells: "经办网点已修改",
  emits: "saved",
});
