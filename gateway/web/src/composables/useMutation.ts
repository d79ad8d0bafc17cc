// One act of the user that changes something: runs once at a time, and is sent again under the same key.
import { computed, shallowRef } from "vue";
import { asProblem, type ApiProblem } from "@/api/problems";

/**
 * `act` gets the Idempotency-Key. After an answer that decided nothing (no network, 5xx) the next run uses the same
 * key, so that nothing is done twice; `run` resolves to undefined where it failed, and `problem` says why.
 */
export function useMutation<Arguments extends unknown[], Result>(act: (key: string, ...given: Arguments) => Promise<Result>) {
  /** What it runs with, while it does: tells which button was pressed, or for which row. */
  const running = shallowRef<Arguments>();
  const isRunning = computed(() => running.value !== undefined);
  const problem = shallowRef<ApiProblem>();
  let key = newKey();
  let lastGiven = "";

  async function run(...given: Arguments): Promise<Result | undefined> {
    if (running.value) return undefined;
    const same = JSON.stringify(given);
    if (same !== lastGiven) key = newKey();
    lastGiven = same;
    running.value = given;
    problem.value = undefined;
    try {
      const result = await act(key, ...given);
      key = newKey();
      return result;
    } catch (error) {
      problem.value = asProblem(error);
      if (!problem.value.isUndecided) key = newKey();
      return undefined;
    } finally {
      running.value = undefined;
    }
  }

  return { run, running, isRunning, problem, forget: () => (problem.value = undefined) };
}

/** A key for one command: its repetition is known by it. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
