// One thing that a page asks for and shows: loading, answer or problem.
import { onScopeDispose, ref, shallowRef } from "vue";
import { asProblem, type ApiProblem } from "@/api/problems";

/** Asks at once; `refresh` asks again and keeps what is shown until the new answer is there. */
export function useQuestion<Answer>(ask: (signal: AbortSignal) => Promise<Answer>) {
  const answer = shallowRef<Answer>();
  const problem = shallowRef<ApiProblem>();
  const isLoading = ref(false);
  let asking: AbortController | undefined;

  async function refresh(): Promise<void> {
    asking?.abort();
    const mine = (asking = new AbortController());
    isLoading.value = true;
    try {
      const got = await ask(mine.signal);
      if (mine !== asking) return;
      answer.value = got;
      problem.value = undefined;
    } catch (error) {
      if (mine === asking && !mine.signal.aborted) problem.value = asProblem(error);
    } finally {
      if (mine === asking) isLoading.value = false;
    }
  }

  onScopeDispose(() => asking?.abort());
  void refresh();
  return { answer, problem, isLoading, refresh };
}
