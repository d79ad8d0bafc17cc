// The way from one's own union down to another one, by name.
import { useLatest } from "@/composables/useLatest";
import { answer, api } from "@/api/client";
import type { Union } from "@/api/types";
import { session } from "@/console/session";

/** `run(union_id)` finds the way; it is empty for a union that is not there, for which the page's list tells the problem. */
export function useUnionPath() {
  return useLatest(async (signal, union_id: string): Promise<Union[]> => {
    const own = session.account.value!.union;
    const here = await unionOf(union_id, signal);
    if (!here || here.union_id === own.union_id) return here ? [here] : [];
    const ids = here.superior_ids.slice(here.superior_ids.indexOf(own.union_id));
    const between = await Promise.all(ids.map((id) => unionOf(id, signal)));
    return [...between.filter((one) => !!one), here];
  });
}

function unionOf(union_id: string, signal: AbortSignal): Promise<Union | undefined> {
  return answer(api.GET("/api/v1/unions/{union_id}", { params: { path: { union_id } }, signal })).catch(() => undefined);
}
