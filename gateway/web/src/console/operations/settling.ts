// What operators do with dead letters: back to their queue, or away for good. Each queue is asked by itself.
import { confirmAct, tellDone } from "@/acts/confirm";
import { useAction } from "@/acts/useAction";
import { answer, api } from "@/api/client";
import { byQueue, type LetterKey } from "@/console/operations/letters";
import { count } from "@/words/format";

/** `done` is called whenever letters may have gone. */
export function useSettling(done: () => unknown) {
  const replay = useAction(async (key, letters: readonly LetterKey[]) => {
    let settled = 0;
    for (const [queue, ids] of byQueue(letters)) {
      const params = { path: { queue }, header: { "Idempotency-Key": `${key}-${queue}`.slice(0, 200) } };
      settled += (await answer(api.POST("/api/v1/operations/dead-letters/{queue}/replay", { params, body: { ids, all: false } }))).ids.length;
    }
    return settled;
  });
  const discard = useAction(async (key, letters: readonly LetterKey[], reason: string) => {
    let settled = 0;
    for (const [queue, ids] of byQueue(letters)) {
      const params = { path: { queue }, header: { "Idempotency-Key": `${key}-${queue}`.slice(0, 200) } };
      settled += (await answer(api.POST("/api/v1/operations/dead-letters/{queue}/discard", { params, body: { ids, reason } }))).ids.length;
    }
    return settled;
  });

  async function replayThese(letters: readonly LetterKey[]): Promise<boolean> {
    const what = `${count(letters.length)} 条消息将送回原队列重新处理。请确认故障原因已排除，否则会再次成为死信。重复处理不会产生重复结果。`;
    if (!(await confirmAct("重新处理", what, "重新处理", false))) return false;
    const settled = await replay.run(letters);
    if (settled !== undefined) tellDone(`已将 ${count(settled)} 条消息送回原队列`);
    await done();
    return settled !== undefined;
  }

  async function discardThese(letters: readonly LetterKey[], reason: string): Promise<boolean> {
    const settled = await discard.run(letters, reason);
    if (settled !== undefined) tellDone(`已丢弃 ${count(settled)} 条消息`);
    await done();
    return settled !== undefined;
  }

  return { replay, discard, replayThese, discardThese };
}
