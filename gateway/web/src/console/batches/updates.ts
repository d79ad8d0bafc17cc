// Refreshes lists and details of batches on live updates.
import { useDelay } from "@/composables/useDelay";
import { useLiveUpdates } from "@/live/updates";

const SETTLED_AFTER_MS = 1500;

/**
 * Calls `refresh` when something happens to a batch. Pages and batching receive the event of a request or decision at the
 * same time, so `refresh` is called once more when batching must have handled it.
 */
export function useBatchUpdates(refresh: () => unknown): void {
  const { later } = useDelay(SETTLED_AFTER_MS);
  useLiveUpdates(["batch_submitted", "cards_issued", "cards_refused", "batch_released"], refresh);
  useLiveUpdates(["revocation_requested", "revocation_approved", "revocation_rejected", "revocation_closed"], async () => {
    later(refresh);
    await refresh();
  });
}
