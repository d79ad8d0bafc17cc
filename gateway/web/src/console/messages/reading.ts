// Whoever shows how many messages are unread hears when some were read.
import { onScopeDispose } from "vue";

const listeners = new Set<() => unknown>();

export function onMessagesRead(act: () => unknown): void {
  listeners.add(act);
  onScopeDispose(() => listeners.delete(act));
}

export function tellMessagesRead(): void {
  listeners.forEach((act) => act());
}
