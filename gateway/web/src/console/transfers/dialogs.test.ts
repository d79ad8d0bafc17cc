// @vitest-environment happy-dom
// Tests of the dialogs of this folder.
import DeclineDialog from "@/console/transfers/DeclineDialog.vue";
import { describeDialog } from "@/testing/dialogs";

const transfer = { transfer_id: "0192f0c0-0000-7000-8000-000000000d01", name: "李静", to_union: "上海长宁电子有限公司工会" };

describeDialog("a transfer that is declined", {
  dialog: DeclineDialog,
  props: { entry: transfer },
  opensBy: "entry",
  title: "不同意转会",
  shows: { 原因: "" },
  refuses: { 原因: "请填写不同意的原因" },
  fills: { 原因: " 会员未离职 " },
  sends: { method: "POST", path: `/api/v1/transfers/${transfer.transfer_id}/decline`, body: { remark: "会员未离职" } },
  answer: transfer,
  problemAt: ["remark", "原因"],
  tells: "已回复不同意，会员不转出",
  emits: "declined",
});
