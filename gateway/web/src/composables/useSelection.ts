// The selected rows of a list, over all of its pages.
import { computed, ref } from "vue";

export function useSelection<Row>(idOf: (row: Row) => string, canSelect: (row: Row) => boolean = () => true) {
  const ids = ref(new Set<string>());

  function toggle(row: Row, isWanted: boolean): void {
    if (isWanted && canSelect(row)) ids.value.add(idOf(row));
    else ids.value.delete(idOf(row));
  }

  return {
    ids,
    count: computed(() => ids.value.size),
    has: (row: Row) => ids.value.has(idOf(row)),
    canSelect,
    toggle,
    togglePage: (rows: readonly Row[], isWanted: boolean) => rows.forEach((row) => toggle(row, isWanted)),
    /** Of the rows of one page: whether all, some or none that can be ticked are. */
    ofPage(rows: readonly Row[]): "all" | "some" | "none" {
      const possible = rows.filter(canSelect);
      const ticked = possible.filter((row) => ids.value.has(idOf(row))).length;
      if (ticked === 0) return "none";
      return ticked === possible.length ? "all" : "some";
    },
    /** Forgets those that can no longer be ticked; the other pages' stay. */
    tidy: (rows: readonly Row[]) => rows.filter((row) => !canSelect(row)).forEach((row) => ids.value.delete(idOf(row))),
    clear: () => ids.value.clear(),
  };
}

export type Selection<Row> = ReturnType<typeof useSelection<Row>>;
