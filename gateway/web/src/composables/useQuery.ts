// One query of a page: loading, response or problem.
import { useLatest } from "@/composables/useLatest";

/** Sends the query at once; `refresh` sends it again and keeps the shown response until the new one arrives. */
export function useQuery<Answer>(fetchData: (signal: AbortSignal) => Promise<Answer>) {
  const { answer, problem, isLoading, run } = useLatest(fetchData);
  const refresh = () => run();
  void refresh();
  return { answer, problem, isLoading, refresh };
}
