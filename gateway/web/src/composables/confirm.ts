// Asking once before an act that cannot be taken back, and telling what was done.
import { ElMessage, ElMessageBox } from "element-plus";
import "element-plus/es/components/message/style/css";
import "element-plus/es/components/message-box/style/css";
import type { ApiProblem } from "@/api/problems";

/** Whether the user wants it. `what` says in a sentence what will happen; `act` is the word on the button. */
export async function askToConfirm(title: string, what: string, act: string, isDestructive = true): Promise<boolean> {
  try {
    await ElMessageBox.confirm(what, title, {
      confirmButtonText: act,
      cancelButtonText: "取消",
      confirmButtonClass: isDestructive ? "el-button--danger" : "",
      autofocus: false,
      closeOnClickModal: false,
    });
    return true;
  } catch {
    return false;
  }
}

/** Whether a form may be left: at once where nothing would be lost, else after a question. */
export async function mayLeave(isDirty: boolean): Promise<boolean> {
  return !isDirty || askToConfirm("放弃填写的内容", "填写的内容还没有保存，关闭后将丢失。", "放弃");
}

/** A short word that something was done; read out by screen readers. */
export function notifySuccess(message: string): void {
  ElMessage({ type: "success", message, grouping: true, duration: 4000 });
}

/** What went wrong and what to do, where no form is there to show it. */
export function notifyProblem(problem: ApiProblem): void {
  const reasons = problem.reasonsBeside([]);
  const message = [problem.title, ...reasons, reasons.length ? "" : problem.detail].filter(Boolean).join("。");
  ElMessage({ type: "error", message: message.replace(/。。/g, "。"), grouping: true, duration: 8000, showClose: true });
}
