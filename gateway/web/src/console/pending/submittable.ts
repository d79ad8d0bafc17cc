// Whether a channel can be submitted, and the sentence with its counts.
import type { PendingCounts } from "@/api/types";
import { count } from "@/locales/format";

/** Why the channel cannot be submitted now. */
export function whyNotSubmittable(channel: "ordinary" | "special", counts: PendingCounts): string | undefined {
  if (counts[channel].total === 0) return "没有可提交的会员";
  if (channel === "special" && counts.special.incomplete) return "请移除未完善信息的会员，才能进行提交办卡。";
  return counts[channel].passed < counts[channel].total ? "请移除校验未通过及未校验的会员，才能进行提交办卡。" : undefined;
}

/** The counts in the manual's sentence. */
export function countsSentence(channel: "ordinary" | "special", counts: PendingCounts): string {
  if (channel === "special") {
    const { total, complete, incomplete, passed, failed, unchecked } = counts.special;
    return `待办会员共：${count(total)} 人；信息已完善：${count(complete)} 人；未完善：${count(incomplete)} 人；校验通过：${count(passed)} 人；未通过：${count(failed)} 人；未校验：${count(unchecked)} 人。`;
  }
  const { total, passed, failed, unchecked } = counts.ordinary;
  return `待办会员共：${count(total)} 人；校验通过：${count(passed)} 人；未通过：${count(failed)} 人；未校验：${count(unchecked)} 人。`;
}
