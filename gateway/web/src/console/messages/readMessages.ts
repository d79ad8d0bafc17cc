// Notifies components that show the number of unread messages when some were read.
import { onScopeDispose } from "vue";

const listeners = new Set<() => unknown>();

export function onMessagesRead(listener: () => unknown): void {
  listeners.add(listener);
  onScopeDispose(() => listeners.delete(listener));
}

export function notifyMessagesRead(): void {
  listeners.forEach((listener) => listener());
}
