// The latest of several requests: a newer one aborts the one before it, whose response is ignored.
import { onScopeDispose, ref, shallowRef } from "vue";
import { asProblem, type ApiProblem } from "@/api/problems";

/** `run` resolves to the answer, or to undefined where the request failed or a newer one took its place. */
export function useLatest<Arguments extends unknown[], Answer>(request: (signal: AbortSignal, ...given: Arguments) => Promise<Answer>) {
  const answer = shallowRef<Answer>();
  const problem = shallowRef<ApiProblem>();
  const isLoading = ref(false);
  let running: AbortController | undefined;

  /** Keeps the shown response until the new one arrives. */
  async function run(...given: Arguments): Promise<Answer | undefined> {
    running?.abort();
    const mine = (running = new AbortController());
    isLoading.value = true;
    try {
      const received = await request(mine.signal, ...given);
      if (mine !== running) return undefined;
      answer.value = received;
      problem.value = undefined;
      return received;
    } catch (error) {
      if (mine === running && !mine.signal.aborted) problem.value = asProblem(error);
      return undefined;
    } finally {
      if (mine === running) isLoading.value = false;
    }
  }

  /** Shows nothing any more, and waits for nothing. */
  function clear(): void {
    running?.abort();
    running = undefined;
    isLoading.value = false;
    answer.value = problem.value = undefined;
  }

  onScopeDispose(() => running?.abort(), true);
  return { answer, problem, isLoading, run, clear };
}
