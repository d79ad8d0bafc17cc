// What a tab keeps while its account is signed in: rows that were ticked on a list that one comes back to.
import { reactive } from "vue";

const selections = new Map<string, Set<string>>();

/** The ids ticked under a name, or those of a list that is not come back to. */
export function keptSelection(name: string | undefined): Set<string> {
  const known = name && selections.get(name);
  if (known) return known;
  const ids = reactive(new Set<string>());
  if (name) selections.set(name, ids);
  return ids;
}

/** With another account nothing is kept. */
export function forgetSelections(): void {
  selections.clear();
}
