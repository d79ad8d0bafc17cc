// The effects of a decision on the members of a batch, as text.
import { type Counts, undecided } from "@/console/batches/progress";
import { count } from "@/locales/format";

export function whatApprovalDoes(batch: Counts): string {
  const freed = `银行尚未办结的 ${count(undecided(batch))} 人将释放，恢复为“未办卡”，可在卡片信息管理重新提交办卡；并通知银行停止办理。`;
  const kept = [
    batch.issued ? `已办卡的 ${count(batch.issued)} 人` : "",
    batch.refused ? `银行已退回的 ${count(batch.refused)} 人` : "",
  ].filter(Boolean);
  return kept.length ? `${freed}${kept.join("和")}不受影响。` : freed;
}

export function whatRejectionDoes(batch: Counts): string {
  return `银行尚未办结的 ${count(undecided(batch))} 人继续锁定在批次中，不可重新提交办卡，等待银行反馈；申请工会可以再次申请。`;
}
