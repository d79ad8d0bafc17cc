// Both ways to queue members for a card: those ticked, or all without a card that a search finds.
import { askToConfirm } from "@/composables/confirm";
import { useMutation } from "@/composables/useMutation";
import { answer, api } from "@/api/client";
import type { MemberFilter, QueueResult } from "@/api/types";
import { memberFilter } from "@/console/members/exportRequest";
import { count } from "@/locales/format";

type Asked = { member_ids: string[] } | { filter: MemberFilter };

export function useQueueing() {
  const queue = useMutation((key, asked: Asked) => ("filter" in asked ? inParts(key, asked.filter) : ask(key, asked)));

  async function queueAllOf(filters: Record<string, string>): Promise<QueueResult | undefined> {
    const filter = memberFilter(filters);
    const scope = Object.keys(filter).length ? "符合当前查询条件的" : "本工会";
    const question = `${scope}全部${await peopleWithoutCard(filter)}未办卡会员将加入待办会员列表；尚未生成会员编号、待办中、办理中或已办卡的会员会被跳过。`;
    if (!(await askToConfirm("添加全部的未办卡会员至待办", question, "确认添加", false))) return undefined;
    return queue.run({ filter });
  }

  /** Those of a batch who were refused or released and are still free. */
  async function queueAgain(last_batch_no: string, ended: number): Promise<QueueResult | undefined> {
    const question = `该批次被退回或释放的 ${count(ended)} 人中，未重新办理的将加入待办会员列表。请先按退回原因更正信息，再重新校验、提交。`;
    if (!(await askToConfirm("重新加入待办", question, "重新加入待办", false))) return undefined;
    return queue.run({ filter: { last_batch_no } });
  }

  return {
    queueAgain,
    queueThese: (member_ids: string[]) => queue.run({ member_ids }),
    queueAllOf,
    isRunning: queue.isRunning,
    problem: queue.problem,
  };
}

/** How many the question is about; searches by a number are counted, and are not made for it. */
async function peopleWithoutCard(filter: MemberFilter): Promise<string> {
  if (filter.document_number || filter.document_end || filter.phone) return "";
  if ((filter.card_state ?? "none") !== "none") return " 0 位";
  try {
    const query = { ...filter, card_state: "none" as const, size: 1 };
    const { total, total_is_exact } = await answer(api.GET("/api/v1/members", { params: { query } }));
    return total_is_exact ? ` ${count(total)} 位` : `超过 ${count(total)} 位`;
  } catch {
    return "";
  }
}

/** What became of it, in a sentence. */
export function outcome(result: QueueResult): string {
  if (result.queued === 0) return "没有会员加入待办";
  return `${count(result.queued)} 位会员已加入待办会员列表`;
}

/** One request queues 10,000 members at most; it says when there are more. */
async function inParts(key: string, filter: MemberFilter): Promise<QueueResult> {
  let whole = await ask(`${key}-1`, { filter });
  for (let part = 2; whole.more; part++) {
    const next = await ask(`${key}-${part}`, { filter });
    whole = { ...next, queued: whole.queued + next.queued };
  }
  return whole;
}

function ask(key: string, body: Asked): Promise<QueueResult> {
  return answer(api.POST("/api/v1/members/queue", { params: { header: { "Idempotency-Key": key } }, body }));
}
