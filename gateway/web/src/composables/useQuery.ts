// One query of a page: loading, response or problem.
import { useLatest } from "@/composables/useLatest";

/** Asks at once; `refresh` asks again and keeps what is shown until the new answer is there. */
export function useQuery<Answer>(fetchData: (signal: AbortSignal) => Promise<Answer>) {
  const { answer, problem, isLoading, run } = useLatest(fetchData);
  const refresh = () => run();
  void refresh();
  return { answer, problem, isLoading, refresh };
}
