// Tests of the table of subordinate unions.
import { describe, expect, it } from "vitest";
import { inOrder, unionRows, type UnionRow } from "@/console/workbench/unionRows";
import type { Summary } from "@/api/types";

const states = { none: 1, pending: 2, submitted: 3, issued: 4 };
const union = (union_id: string, name: string) => ({ union_id, name });
const names = (rows: UnionRow[]) => rows.map(({ name }) => name);

describe("the table of subordinate unions", () => {
  const members = [
    { union: union("b", "杨浦区总工会"), by_card_state: { ...states, none: 10 } },
    { union: union("a", "长宁区总工会"), by_card_state: { ...states, none: 9 } },
  ] as unknown as Summary["members"]["by_union"];
  const batches = [{ union: union("a", "长宁区总工会"), batches: 7, refused: 2 }] as unknown as Summary["batches"]["by_union"];
  const rows = unionRows(members, batches);

  it("has members and batches of a union in one row, and nothing where there are no batches", () => {
    expect(rows.map(({ union_id, none, batches, refused }) => [union_id, none, batches, refused])).toEqual([
      ["b", 10, 0, 0],
      ["a", 9, 7, 2],
    ]);
  });

  it("is in the order of numbers, not of their digits, and of names as they are read", () => {
    expect(names(inOrder(rows, "none"))).toEqual(["长宁区总工会", "杨浦区总工会"]);
    expect(names(inOrder(rows, "-none"))).toEqual(["杨浦区总工会", "长宁区总工会"]);
    expect(names(inOrder(rows, "name"))).toEqual(["长宁区总工会", "杨浦区总工会"].sort((one, other) => one.localeCompare(other, "zh-CN")));
    expect(names(inOrder(rows, ""))).toEqual(["杨浦区总工会", "长宁区总工会"]);
  });
});
