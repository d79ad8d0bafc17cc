// The selected rows of a list, over all of its pages; under a name they stay when the list is left and come back to.
import { computed } from "vue";
import { keptSelection } from "@/composables/kept";

export function useSelection<Row>(idOf: (row: Row) => string, canSelect: (row: Row) => boolean = () => true, name?: string) {
  const ids = keptSelection(name);

  function toggle(row: Row, isWanted: boolean): void {
    if (isWanted && canSelect(row)) ids.add(idOf(row));
    else ids.delete(idOf(row));
  }

  return {
    ids: computed(() => ids),
    count: computed(() => ids.size),
    has: (row: Row) => ids.has(idOf(row)),
    canSelect,
    toggle,
    togglePage: (rows: readonly Row[], isWanted: boolean) => rows.forEach((row) => toggle(row, isWanted)),
    /** Of the rows of one page: whether all, some or none that can be ticked are. */
    ofPage(rows: readonly Row[]): "all" | "some" | "none" {
      const possible = rows.filter(canSelect);
      const ticked = possible.filter((row) => ids.has(idOf(row))).length;
      if (ticked === 0) return "none";
      return ticked === possible.length ? "all" : "some";
    },
    /** Forgets those that can no longer be ticked; the other pages' stay. */
    tidy: (rows: readonly Row[]) => rows.filter((row) => !canSelect(row)).forEach((row) => ids.delete(idOf(row))),
    clear: () => ids.clear(),
  };
}

export type Selection<Row> = ReturnType<typeof useSelection<Row>>;
