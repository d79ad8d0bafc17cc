// A clerk's commands on the pending list. Each shows its result; `changed` is called after it.
import { askToConfirm, notifySuccess, notifyProblem } from "@/composables/confirm";
import { useMutation } from "@/composables/useMutation";
import { answer, api } from "@/api/client";
import type { Changes, Pending, PendingCounts } from "@/api/types";
import { count } from "@/locales/format";
import { CHANNELS } from "@/locales/terms";

type PendingChange = Changes<"/api/v1/pending/{application_id}"> & { application_id: string };

export function usePendingCommands(changed: () => Promise<void>) {
  const check = useMutation((key, channel: Pending["channel"], application_ids: string[]) =>
    answer(api.POST("/api/v1/pending/validate", { ...under(key), body: application_ids.length ? { application_ids } : { channel } })),
  );
  const change = useMutation(changePending);
  const remove = useMutation((key, body: { which: "not_passed" | "special_not_passed" | "incomplete" } | { application_ids: string[] }) =>
    answer(api.POST("/api/v1/pending/remove", { ...under(key), body })),
  );

  async function checkAll(channel: Pending["channel"], application_ids: string[]): Promise<void> {
    const started = await check.run(channel, application_ids);
    if (!started) return showProblem(check.problem.value);
    notifySuccess(started.checking ? `已提交 ${count(started.checking)} 人进行系统校验` : "没有需要校验的会员");
    await changed();
  }

  async function switchBack(entry: Pending): Promise<void> {
    if (!(await change.run({ application_id: entry.application_id, channel: "ordinary" }))) return showProblem(change.problem.value);
    notifySuccess(`${entry.name} 已转换至普通办卡通道`);
    await changed();
  }

  async function removeNow(body: Parameters<typeof remove.run>[0]): Promise<void> {
    const result = await remove.run(body);
    if (!result) return showProblem(remove.problem.value);
    notifySuccess(`已移除 ${count(result.removed)} 人`);
    await changed();
  }

  const confirmRemoval = (title: string, who: string, command: string) =>
    askToConfirm(title, `${who}将移出待办会员列表，恢复为未办卡，需要时可重新添加。`, command);

  return {
    check,
    checkAll,
    switchBack,
    removeOne: async (entry: Pending) =>
      (await confirmRemoval("移除会员", entry.name, "移除")) && removeNow({ application_ids: [entry.application_id] }),
    removeThese: async (application_ids: string[]) =>
      (await confirmRemoval("移除选中的会员", `选中的 ${count(application_ids.length)} 人`, "移除")) && removeNow({ application_ids }),
    removeNotPassed: async (channel: Pending["channel"], counts: PendingCounts) =>
      (await confirmRemoval(
        "移除全部校验未通过及未校验会员",
        `${CHANNELS[channel].text}办卡通道中校验未通过的 ${count(counts[channel].failed)} 人和未校验的 ${count(counts[channel].unchecked)} 人`,
        "全部移除",
      )) && removeNow({ which: channel === "ordinary" ? "not_passed" : "special_not_passed" }),
    removeIncomplete: async ({ special }: PendingCounts) =>
      (await confirmRemoval("移除全部信息未完善会员", `特殊办卡通道中信息未完善的 ${count(special.incomplete)} 人`, "全部移除")) &&
      removeNow({ which: "incomplete" }),
  };
}

/** Changes the given fields of one entry. */
export function changePending(key: string, { application_id, ...body }: PendingChange) {
  return answer(api.PATCH("/api/v1/pending/{application_id}", { params: { path: { application_id }, header: headerOf(key) }, body }));
}

function showProblem(problem: Parameters<typeof notifyProblem>[0] | undefined): void {
  if (problem) notifyProblem(problem);
}

const headerOf = (key: string) => ({ "Idempotency-Key": key });
const under = (key: string) => ({ params: { header: headerOf(key) } });
