// A member's whole numbers, hidden again after a short while.
import { onScopeDispose, shallowRef } from "vue";
import type { WholeNumbers } from "@/api/types";

export const SHOWN_SECONDS = 60;

/** `numbers` is empty again after SHOWN_SECONDS, and when the page is left. */
export function useWholeNumbers() {
  const numbers = shallowRef<WholeNumbers>();
  let hiding: ReturnType<typeof setTimeout> | undefined;

  function show(whole: WholeNumbers): void {
    clearTimeout(hiding);
    numbers.value = whole;
    hiding = setTimeout(hide, SHOWN_SECONDS * 1000);
  }

  function hide(): void {
    clearTimeout(hiding);
    numbers.value = undefined;
  }

  addEventListener("pagehide", hide);
  onScopeDispose(() => {
    removeEventListener("pagehide", hide);
    hide();
  });
  return { numbers, show, hide };
}
