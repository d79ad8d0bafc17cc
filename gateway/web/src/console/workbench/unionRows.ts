// The rows of the table of subordinate unions, in the order and part that is shown.
import type { Summary } from "@/api/types";

export interface UnionRow {
  union_id: string;
  name: string;
  kind: Summary["members"]["by_union"][number]["union"]["kind"];
  none: number;
  pending: number;
  submitted: number;
  issued: number;
  batches: number;
  refused: number;
}

export function unionRows(members: Summary["members"]["by_union"], batches: Summary["batches"]["by_union"]): UnionRow[] {
  const counted = new Map(batches.map((one) => [one.union.union_id, one]));
  return members.map(({ union, by_card_state }) => {
    const own = counted.get(union.union_id);
    return { ...union, ...by_card_state, batches: own?.batches ?? 0, refused: own?.refused ?? 0 };
  });
}

/** `sort` as lists have it: a column's key, with `-` before it for the greatest first; empty for the order they came in. */
export function inOrder(rows: readonly UnionRow[], sort: string): UnionRow[] {
  const key = sort.replace(/^-/, "") as keyof UnionRow;
  if (!key) return [...rows];
  const ascending = (one: UnionRow, other: UnionRow) =>
    key === "name" ? one.name.localeCompare(other.name, "zh-CN") : Number(one[key]) - Number(other[key]);
  return [...rows].sort((one, other) => (sort.startsWith("-") ? ascending(other, one) : ascending(one, other)));
}
