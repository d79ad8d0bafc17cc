// Operators' commands on dead letters: replay and discard, one request for each queue.
import { askToConfirm, notifySuccess } from "@/composables/confirm";
import { useMutation } from "@/composables/useMutation";
import { answer, api } from "@/api/client";
import { byQueue, type DeadLetterKey } from "@/console/operations/deadLetterKeys";
import { count } from "@/locales/format";

/** Sends letters back to their queues, once that is confirmed. `done` is called whenever letters may have gone. */
export function useReplay(done: () => unknown) {
  const replay = useMutation((key, letters: readonly DeadLetterKey[]) =>
    settle(key, letters, (params, ids) =>
      answer(api.POST("/api/v1/operations/dead-letters/{queue}/replay", { params, body: { ids, all: false } })),
    ),
  );

  async function replayThese(letters: readonly DeadLetterKey[]): Promise<boolean> {
    const what = `${count(letters.length)} 条消息将送回原队列重新处理。请确认故障原因已排除，否则会再次成为死信。重复处理不会产生重复结果。`;
    if (!(await askToConfirm("重新处理", what, "重新处理", false))) return false;
    const settled = await replay.run(letters);
    if (settled !== undefined) notifySuccess(`已将 ${count(settled)} 条消息送回原队列`);
    await done();
    return settled !== undefined;
  }

  return { replay, replayThese };
}

/** How many were discarded. */
export function discardDeadLetters(key: string, letters: readonly DeadLetterKey[], reason: string): Promise<number> {
  return settle(key, letters, (params, ids) =>
    answer(api.POST("/api/v1/operations/dead-letters/{queue}/discard", { params, body: { ids, reason } })),
  );
}

interface Params {
  path: { queue: string };
  header: { "Idempotency-Key": string };
}

/** How many letters one act took from all queues; each has its own key. */
async function settle(
  key: string,
  letters: readonly DeadLetterKey[],
  act: (params: Params, ids: string[]) => Promise<{ ids: string[] }>,
): Promise<number> {
  let settled = 0;
  for (const [queue, ids] of byQueue(letters)) {
    const header = { "Idempotency-Key": `${key}-${queue}`.slice(0, 200) };
    settled += (await act({ path: { queue }, header }, ids)).ids.length;
  }
  return settled;
}
