// The rows of a tree of unions that is opened level by level: 20,000 unions are never loaded at once.
import { computed, ref } from "vue";
import { answer, api } from "@/api/client";
import type { Union } from "@/api/types";

/** How many unions of a level come at once; a row leads to the next ones. */
export const LEVEL_SIZE = 100;

export interface TreeRow {
  key: string;
  level: number;
  /** Absent for the row that leads to the rest of a level. */
  union?: Union;
  superior_id: string;
  isOpen: boolean;
}

interface Level {
  unions: Union[];
  total: number;
}

export function useUnionTree(root: Union) {
  const levels = ref(new Map<string, Level>());
  const opened = ref(new Set<string>());
  const isLoading = ref(false);

  const rows = computed<TreeRow[]>(() => rowsOf(root, 1));

  function rowsOf(union: Union, level: number): TreeRow[] {
    const { union_id } = union;
    const isOpen = opened.value.has(union_id);
    const row = { key: union_id, level, union, superior_id: union.superior_union_id ?? "", isOpen };
    const below = levels.value.get(union_id);
    if (!isOpen || !below) return [row];
    const rest = { key: `${union_id}-rest`, level: level + 1, superior_id: union_id, isOpen: false };
    return [row, ...below.unions.flatMap((one) => rowsOf(one, level + 1)), ...(below.unions.length < below.total ? [rest] : [])];
  }

  /** Loads the next unions of a level. */
  async function loadMore(superior_union_id: string): Promise<void> {
    const known = levels.value.get(superior_union_id)?.unions ?? [];
    const query = { superior_union_id, size: LEVEL_SIZE, page: Math.floor(known.length / LEVEL_SIZE) + 1 };
    isLoading.value = true;
    try {
      const { items, total } = await answer(api.GET("/api/v1/unions", { params: { query } }));
      levels.value.set(superior_union_id, { unions: [...known, ...items], total });
    } finally {
      isLoading.value = false;
    }
  }

  async function open(union: Union): Promise<void> {
    if (!canOpen(union)) return;
    if (!levels.value.has(union.union_id)) await loadMore(union.union_id);
    opened.value.add(union.union_id);
  }

  const close = (union: Union): unknown => opened.value.delete(union.union_id);

  return { rows, isLoading, open, close, loadMore };
}

/** Only a grassroots union never has one below it. */
export function canOpen(union: Union | undefined): boolean {
  return !!union && union.kind !== "grassroots";
}
