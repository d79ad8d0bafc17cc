// The state of the connection to the system, for the notice at the top of the page.
import { readonly, ref } from "vue";

export type Trouble = "lost" | "busy";

const trouble = ref<Trouble>();
const nextTryAt = ref(0);
const hasRecovered = ref(false);
let hiding: ReturnType<typeof setTimeout> | undefined;

export const connection = {
  /** The current trouble, if any. */
  now: readonly(trouble),
  /** When it is tried again, in milliseconds since 1970. */
  nextTryAt: readonly(nextTryAt),
  /** True for some seconds after a trouble has ended. */
  hasRecovered: readonly(hasRecovered),

  trouble(kind: Trouble, secondsToNextTry: number): void {
    trouble.value = kind;
    nextTryAt.value = Date.now() + secondsToNextTry * 1000;
    hasRecovered.value = false;
  },

  recover(): void {
    if (!trouble.value) return;
    trouble.value = undefined;
    hasRecovered.value = true;
    clearTimeout(hiding);
    hiding = setTimeout(() => (hasRecovered.value = false), 4000);
  },
};
