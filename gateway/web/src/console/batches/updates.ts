// Refreshes lists and details of batches on live updates.
import { onScopeDispose } from "vue";
import { useLiveUpdates } from "@/live/updates";

const SETTLED_AFTER_MS = 1500;

/**
 * Calls `refresh` when something happens to a batch. A request or decision is told to pages and to batching at the same
 * time, so it asks once more when batching has surely heard.
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
