// Refreshes lists and details of batches on live updates.
import { onScopeDispose } from "vue";
import { useLiveUpdates } from "@/live/updates";

const SETTLED_AFTER_MS = 1500;

/**
 * Calls `refresh` when something happens to a batch. Pages and batching receive the event of a request or decision at the
 * same time, so `refresh` is called once more when batching must have handled it.
 */
export function useBatchUpdates(refresh: () => unknown): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  useLiveUpdates(["batch_submitted", "cards_issued", "cards_refused", "batch_released"], refresh);
  useLiveUpdates(["revocation_requested", "revocation_approved", "revocation_rejected", "revocation_closed"], async () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, SETTLED_AFTER_MS);
    await refresh();
  });
  onScopeDispose(() => clearTimeout(timer));
}
