// What a tab keeps while its account is signed in: rows that were ticked on a list that one comes back to, scanned cards.
import { reactive, ref } from "vue";
import type { Card } from "@/api/types";

const selections = new Map<string, Set<string>>();

/** The cards whose collection was marked by scanning, the newest first. */
export const markedCards = ref<Card[]>([]);
/** Whether codes are read by a hand scanner, which types into the page. */
export const hasHandScanner = ref(false);

/** The ids ticked under a name, or those of a list that is not come back to. */
export function keptSelection(name: string | undefined): Set<string> {
  const known = name && selections.get(name);
  if (known) return known;
  const ids = reactive(new Set<string>());
  if (name) selections.set(name, ids);
  return ids;
}

/** With another account nothing is kept. */
export function forgetKept(): void {
  selections.clear();
  markedCards.value = [];
  hasHandScanner.value = false;
}
