// @vitest-environment happy-dom
// Tests of the dialogs of this folder.
import DelegationDialog from "@/console/delegations/DelegationDialog.vue";
import { dayOf } from "@/locales/format";
import { describeDialog } from "@/testing/dialogs";

const principal = "0192f0c0-0000-7000-8000-000000000d03";
const deputy = "0192f0c0-0000-7000-8000-000000000d02";
const today = dayOf(new Date());

describeDialog("a deputy that an administrator names", {
  dialog: DelegationDialog,
  opensBy: "model",
  title: "委托代审",
  shows: { "委托人（审核人）": "", 代审人: "", 开始日期: today, 结束日期: "", 委托原因: "" },
  refuses: {
    "委托人（审核人）": "请选择由谁委托",
    代审人: "请选择代审人",
    结束日期: "请选择结束日期",
    委托原因: "请填写 2 至 200 个字，代审人会看到",
  },
  fills: { "委托人（审核人）": principal, 结束日期: "2099-12-11", 委托原因: " 出差 " },
  alsoDoes: (open) => open.fill({ 代审人: deputy }),
  sends: {
    method: "POST",
    path: "/api/v1/delegations",
    body: { principal_id: principal, deputy_id: deputy, first_day: today, last_day: "2099-12-11", reason: "出差" },
  },
  answer: { deputy_name: "李四", principal_name: "张三" },
  problemAt: ["last_day", "结束日期"],
  tells: "已委托李四代张三审核，代审人会收到消息",
  emits: "named",
});
