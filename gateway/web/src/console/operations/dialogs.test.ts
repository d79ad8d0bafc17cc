// @vitest-environment happy-dom
// Tests of the dialogs of this folder.
import { expect, it } from "vitest";
import CorrectTimeDialog from "@/console/operations/CorrectTimeDialog.vue";
import DiscardDialog from "@/console/operations/DiscardDialog.vue";
import ResendDialog from "@/console/operations/ResendDialog.vue";
import { describeDialog, openDialog, type DialogCase } from "@/testing/dialogs";

const REASON = "请填写原因，至少 2 个字";
const discarding: DialogCase = {
  dialog: DiscardDialog,
  props: {
    letters: [
      { queue: "dead.one", id: "1" },
      { queue: "dead.one", id: "2" },
    ],
  },
  opensBy: "model",
  title: "丢弃死信",
  shows: { 丢弃原因: "" },
  empties: { 丢弃原因: "坏" },
  refuses: { 丢弃原因: "请填写丢弃原因，至少 2 个字" },
  fills: { 丢弃原因: "内容有误 " },
  sends: { method: "POST", path: "/api/v1/operations/dead-letters/dead.one/discard", body: { ids: ["1", "2"], reason: "内容有误" } },
  answer: { ids: ["1", "2"] },
  problemAt: ["reason", "丢弃原因"],
  tells: "已丢弃 2 条消息",
  emits: "discarded",
};

describeDialog("discarding dead letters", discarding);

it("letters that may have gone are told of also where discarding failed", async () => {
  const open = await openDialog(discarding);
  open.api.refuse(409);

  await open.fill(discarding.fills);
  await open.send();

  expect(open.emitted("changed")).toHaveLength(1);
  expect(open.emitted("discarded")).toHaveLength(0);
});

describeDialog("sending a batch again", {
  dialog: ResendDialog,
  props: { batchNo: "B-1", what: "batch" },
  opensBy: "what",
  title: "重新发送批次",
  shows: { 原因: "" },
  refuses: { 原因: REASON },
  fills: { 原因: "银行未收到" },
  sends: { method: "POST", path: "/api/v1/operations/batches/B-1/resend", body: { what: "batch", reason: "银行未收到" } },
  answer: { applicants: 12, recalled: 1 },
  problemAt: ["reason", "原因"],
  tells: "已重新发送 12 人的批次和1 人的撤回通知",
  emits: "close",
});

describeDialog("a bank's time that is corrected", {
  dialog: CorrectTimeDialog,
  props: { batchNo: "B-1", time: { processed_at: "2030-01-01T00:00:00Z", applications: 3, is_plausible: false } },
  opensBy: "time",
  title: "改正银行处理时间",
  shows: { 正确的处理时间: "", 原因: "" },
  refuses: { 正确的处理时间: "请填写正确的处理时间", 原因: REASON },
  fills: { 正确的处理时间: "2026-11-01 08:30:00", 原因: "银行时钟有误" },
  sends: {
    method: "POST",
    path: "/api/v1/operations/batches/B-1/processed-at",
    body: { processed_at: "2030-01-01T00:00:00Z", corrected_at: "2026-11-01T08:30:00+08:00", reason: "银行时钟有误" },
  },
  answer: { applications: 3 },
  problemAt: ["corrected_at", "正确的处理时间"],
  tells: "已改正 3 人的银行处理时间",
  emits: "corrected",
});
