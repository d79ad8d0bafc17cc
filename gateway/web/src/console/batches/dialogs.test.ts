// @vitest-environment happy-dom
import RevocationDialog from "@/console/batches/RevocationDialog.vue";
import { describeDialog } from "@/testing/dialogs";

const outlet = { code: "yp-1", name: "五角场网点", address: "四平路 1 号" };
const batch = {
  batch_no: "B-1",
  submitted_at: "2026-11-01T08:00:00Z",
  channel: "ordinary",
  outlet,
  revocable: true,
  total: 3,
  issued: 1,
  refused: 0,
  released: 0,
};

describeDialog("a request to revoke a batch", {
  dialog: RevocationDialog,
  opensBy: "presence",
  reads: { "/api/v1/batches": { items: [batch], total: 1 } },
  title: "撤销办卡批次申请",
  shows: { 申请人姓名: "简朗", 申请人联系电话: "", 撤销原因: "", 原因说明: "" },
  empties: { 申请人姓名: "" },
  refuses: {
    申请人姓名: "请填写申请人姓名",
    申请人联系电话: "请填写正确的手机号或固定电话",
    撤销原因: "请选择撤销原因",
    原因说明: "请说明撤销原因，至少 2 个字",
    "": "请选择要撤销的批次",
  },
  fills: { 申请人联系电话: "021-65556666 ", 撤销原因: "outlet", 原因说明: " 网点选错 " },
  alsoDoes: ({ tick }) => tick("input[type=radio]"),
  sends: {
    method: "POST",
    path: "/api/v1/revocations",
    body: {
      applicant_name: "简朗",
      applicant_phone: "021-65556666",
      reason_code: "outlet",
      reason: "网点选错",
      batch_no: "B-1",
    },
  },
  answer: { revocation_id: "r-1" },
  problemAt: ["applicant_phone", "申请人联系电话"],
  tells: "撤销申请已提交，请等待上级工会审核",
  emits: "requested",
});
