// Live updates: one stream of server-sent events for the whole page, shared by all listeners.
import { getCurrentScope, onScopeDispose } from "vue";
import { answer, api } from "@/api/client";
import { connection } from "@/live/connection";

/** The kinds of live updates of the gateway; docs/events describes each. */
export const KINDS = [
  "member_registered",
  "member_numbered",
  "members_queued",
  "application_cancelled",
  "import_progressed",
  "pending_changed",
  "members_removed",
  "batch_submitted",
  "cards_issued",
  "cards_refused",
  "batch_released",
  "cards_changed",
  "member_transferred",
  "revocation_requested",
  "revocation_approved",
  "revocation_rejected",
  "revocation_closed",
  "message_posted",
] as const;
export type Kind = (typeof KINDS)[number];

const SHORTEST_BETWEEN_MS = 800;
const REOPEN_AFTER_MS = 1000;
const listeners = new Set<(kind: Kind | "resync", facts: Record<string, unknown>) => void>();
let source: EventSource | undefined;
let isWanted = false;
let wasOpen = false;

/** Opens the stream and keeps it open; needs a session. */
export function startUpdates(): void {
  isWanted = true;
  if (source) return;
  source = new EventSource("/api/v1/stream");
  source.addEventListener("resync", () => {
    connection.recover();
    if (wasOpen) publish("resync", {});
    wasOpen = true;
  });
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => publish(kind, JSON.parse((event as MessageEvent<string>).data) as Record<string, unknown>));
  }
  source.onerror = reopen;
}

/** Closes it; at sign-out. */
export function stopUpdates(): void {
  isWanted = false;
  wasOpen = false;
  source?.close();
  source = undefined;
}

/**
 * Calls `refresh` when one of the kinds happens, and after a lost connection; many changes at once call it once.
 * A hidden page waits until it is visible.
 */
export function useLiveUpdates(kinds: readonly Kind[], refresh: () => unknown): void {
  const throttled = throttle(refresh);
  const listener = (kind: Kind | "resync") => {
    if (kind === "resync" || kinds.includes(kind)) throttled.call();
  };
  listeners.add(listener);
  document.addEventListener("visibilitychange", throttled.whenSeen);
  if (getCurrentScope()) {
    onScopeDispose(() => {
      listeners.delete(listener);
      document.removeEventListener("visibilitychange", throttled.whenSeen);
      throttled.cancel();
    });
  }
}

/** Calls `act` with the facts of each event of a kind. */
export function useLiveEvent(kind: Kind, act: (facts: Record<string, unknown>) => void): void {
  const listener = (happened: Kind | "resync", facts: Record<string, unknown>) => {
    if (happened === kind) act(facts);
  };
  listeners.add(listener);
  onScopeDispose(() => listeners.delete(listener));
}

/** Requests the own account first: this waits until the system is back, and handles an ended session. */
async function reopen(): Promise<void> {
  source?.close();
  source = undefined;
  await new Promise((resolve) => setTimeout(resolve, REOPEN_AFTER_MS));
  if (!isWanted) return;
  try {
    await answer(api.GET("/api/v1/me"));
    startUpdates();
  } catch {
    if (isWanted) void reopen();
  }
}

function publish(kind: Kind | "resync", facts: Record<string, unknown>): void {
  listeners.forEach((listener) => listener(kind, facts));
}

/** At the first call at once, then at most once per interval, and never while hidden or still at work. */
function throttle(act: () => unknown) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastAt = 0;
  let isWanted = false;
  let isOver = false;

  function call(): void {
    isWanted = true;
    if (timer || isOver || document.hidden) return;
    timer = setTimeout(run, Math.max(60, lastAt + SHORTEST_BETWEEN_MS - Date.now()));
  }

  async function run(): Promise<void> {
    isWanted = false;
    try {
      await act();
    } finally {
      lastAt = Date.now();
      timer = undefined;
      if (isWanted) call();
    }
  }

  function cancel(): void {
    isOver = true;
    clearTimeout(timer);
  }

  return { call, cancel, whenSeen: () => !document.hidden && isWanted && call() };
}
