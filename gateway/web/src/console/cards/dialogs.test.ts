// @vitest-environment happy-dom
// Tests of the dialogs of this folder.
import MarkCollectedDialog from "@/console/cards/MarkCollectedDialog.vue";
import { dayOf } from "@/locales/format";
import { describeDialog } from "@/testing/dialogs";

const ids = ["0192f0c0-0000-7000-8000-000000000b01", "0192f0c0-0000-7000-8000-000000000b02"];
const today = dayOf(new Date());

describeDialog("cards that are marked as collected", {
  dialog: MarkCollectedDialog,
  props: { applicationIds: ids },
  opensBy: "model",
  title: "登记领卡",
  shows: { 领卡日期: today },
  empties: { 领卡日期: "" },
  refuses: { 领卡日期: "请选择领卡日期" },
  fills: { 领卡日期: "2026-11-20" },
  sends: { method: "POST", path: "/api/v1/cards/collected", body: { application_ids: ids, collected_on: "2026-11-20" } },
  answer: { marked: 1, skipped: 1 },
  problemAt: ["collected_on", "领卡日期"],
  tells: "已登记 1 人领卡，1 人已由银行反馈，未重复登记",
  emits: "marked",
});
