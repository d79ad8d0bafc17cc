// One act that is put off: a newer one takes its place, and nothing is done any more once its component is gone.
import { onScopeDispose } from "vue";

export function useDelay(milliseconds: number) {
  let timer: ReturnType<typeof setTimeout> | undefined;

  function cancel(): void {
    clearTimeout(timer);
  }

  function later(act: () => unknown): void {
    cancel();
    timer = setTimeout(act, milliseconds);
  }

  onScopeDispose(cancel);
  return { later, cancel };
}
