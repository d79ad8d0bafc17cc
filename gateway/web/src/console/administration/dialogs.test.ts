// @vitest-environment happy-dom
// Tests of the dialogs of this folder.
import AccountDialog from "@/console/administration/AccountDialog.vue";
import PhoneChangeDialog from "@/console/administration/PhoneChangeDialog.vue";
import ResetLinkDialog from "@/console/administration/ResetLinkDialog.vue";
import UnionDialog from "@/console/administration/UnionDialog.vue";
import { describeDialog } from "@/testing/dialogs";

const union = { union_id: "u-1", name: "杨浦区总工会", code: "81310110MC00000001", kind: "superior", superior_ids: ["city"] };
const account = {
  account_id: "a-1",
  account_name: "zhangsan",
  display_name: "张三",
  union_id: "u-1",
  union_name: union.name,
  roles: ["clerk"],
  phone: "138****0001",
};
const REASON = "请填写 2 至 200 个字";

describeDialog("a new account", {
  dialog: AccountDialog,
  props: { union },
  opensBy: "model",
  title: "新增账号",
  shows: { 所属工会: "u-1", 账号: "", 姓名: "", 手机号: "", 角色: [] },
  empties: { 所属工会: "" },
  refuses: {
    所属工会: "请选择工会",
    账号: "3 至 40 个字符，以小写字母开头，可含数字和 . _ -",
    姓名: "请填写姓名",
    手机号: "请填写 11 位手机号",
    角色: "请至少选择一个角色",
  },
  fills: { 账号: "zhangsan", 姓名: "张三 ", 手机号: "13800000001", 角色: ["clerk"] },
  sends: {
    method: "POST",
    path: "/api/v1/unions/u-1/accounts",
    body: { account_name: "zhangsan", display_name: "张三", phone: "13800000001", roles: ["clerk"] },
    isUnderKey: false,
  },
  answer: { ...account, sent_to: "138****0001" },
  problemAt: ["account_name", "账号"],
  tells: "账号已新增，设置密码的链接已发送至 138****0001",
  emits: "saved",
});

describeDialog("an account that is changed", {
  dialog: AccountDialog,
  props: { account },
  opensBy: "model",
  title: "修改账号 zhangsan",
  shows: { 姓名: "张三", 角色: ["clerk"] },
  empties: { 姓名: "", 角色: [] },
  refuses: { 姓名: "请填写姓名", 角色: "请至少选择一个角色" },
  fills: { 姓名: "张三丰", 角色: ["clerk", "reviewer"] },
  sends: { method: "PATCH", path: "/api/v1/accounts/a-1", body: { display_name: "张三丰", roles: ["clerk", "reviewer"] } },
  answer: account,
  problemAt: ["roles", "角色"],
  tells: "账号已修改",
  emits: "saved",
});

describeDialog("one's own account, whose roles another administrator changes", {
  dialog: AccountDialog,
  props: { account: { ...account, account_id: "own" } },
  opensBy: "model",
  title: "修改账号 zhangsan",
  shows: { 姓名: "张三" },
  empties: { 姓名: "" },
  refuses: { 姓名: "请填写姓名" },
  fills: { 姓名: "张三丰" },
  sends: { method: "PATCH", path: "/api/v1/accounts/own", body: { display_name: "张三丰" } },
  answer: account,
  problemAt: ["display_name", "姓名"],
  tells: "账号已修改",
  emits: "saved",
});

describeDialog("a change of telephone number", {
  dialog: PhoneChangeDialog,
  props: { account },
  opensBy: "model",
  title: "更换手机号",
  shows: { 新手机号: "", 更换原因: "" },
  refuses: { 新手机号: "请填写 11 位手机号", 更换原因: REASON },
  fills: { 新手机号: "13900000002", 更换原因: " 原手机号已停用 " },
  sends: {
    method: "POST",
    path: "/api/v1/accounts/a-1/phone-changes",
    body: { phone: "13900000002", reason: "原手机号已停用" },
  },
  answer: { change_id: "c-1" },
  problemAt: ["phone", "新手机号"],
  tells: "已提交，待另一名管理员确认",
  emits: "saved",
});

describeDialog("a telephone number that is only taken away", {
  dialog: PhoneChangeDialog,
  props: { account },
  opensBy: "model",
  title: "更换手机号",
  shows: { 新手机号: "", 更换原因: "" },
  empties: { 更换原因: "停" },
  refuses: { 新手机号: "请填写 11 位手机号", 更换原因: REASON },
  fills: { 更换原因: "停用" },
  alsoDoes: ({ tick }) => tick("input[type=checkbox]"),
  sends: { method: "POST", path: "/api/v1/accounts/a-1/phone-changes", body: { phone: null, reason: "停用" } },
  answer: { change_id: "c-1" },
  problemAt: ["reason", "更换原因"],
  emits: "saved",
});

describeDialog("a new union", {
  dialog: UnionDialog,
  props: { superior: union },
  opensBy: "model",
  title: "新增工会",
  shows: { 工会名称: "", 统一社会信用代码: "", 上级工会: "u-1", 工会类型: "grassroots" },
  empties: { 上级工会: "" },
  refuses: { 工会名称: "请填写工会名称", 统一社会信用代码: "请填写 18 位统一社会信用代码", 上级工会: "请选择上级工会" },
  fills: { 工会名称: "五角场街道总工会 ", 统一社会信用代码: "81310110MC00000002" },
  sends: {
    method: "POST",
    path: "/api/v1/unions",
    body: { name: "五角场街道总工会", code: "81310110MC00000002", superior_union_id: "u-1", kind: "grassroots" },
  },
  answer: { ...union, name: "五角场街道总工会" },
  problemAt: ["code", "统一社会信用代码"],
  tells: "已新增 五角场街道总工会",
  emits: "saved",
});

describeDialog("a union that is renamed", {
  dialog: UnionDialog,
  props: { union },
  opensBy: "model",
  title: "修改工会名称",
  shows: { 工会名称: "杨浦区总工会" },
  empties: { 工会名称: "" },
  refuses: { 工会名称: "请填写工会名称" },
  fills: { 工会名称: "杨浦区工会" },
  sends: { method: "PATCH", path: "/api/v1/unions/u-1", body: { name: "杨浦区工会" } },
  answer: union,
  problemAt: ["name", "工会名称"],
  tells: "工会名称已修改",
  emits: "saved",
});

describeDialog("a link to choose another password", {
  dialog: ResetLinkDialog,
  props: { account },
  opensBy: "model",
  title: "重置密码",
  shows: {},
  fills: {},
  sends: { method: "POST", path: "/api/v1/accounts/a-1/reset-link", body: {} },
  answer: { sent_to: "138****0001" },
  tells: "密码重置链接已发送至 138****0001",
});
