// Tests of useSelection: selected rows over several pages.
import { describe, expect, it } from "vitest";
import { useSelection } from "@/composables/useSelection";

interface Row {
  id: string;
  free: boolean;
}
const free = (id: string): Row => ({ id, free: true });
const taken = (id: string): Row => ({ id, free: false });
const select = () =>
  useSelection<Row>(
    (row) => row.id,
    (row) => row.free,
  );

describe("a selection", () => {
  it("keeps what was ticked on other pages", () => {
    const selection = select();

    selection.togglePage([free("1"), free("2")], true);
    selection.togglePage([free("3")], true);

    expect([...selection.ids.value]).toEqual(["1", "2", "3"]);
  });

  it("never takes what cannot be ticked", () => {
    const selection = select();

    selection.togglePage([free("1"), taken("2")], true);

    expect([...selection.ids.value]).toEqual(["1"]);
    expect(selection.ofPage([free("1"), taken("2")])).toBe("all");
  });

  it("forgets what can no longer be ticked, and keeps the other pages'", () => {
    const selection = select();
    selection.togglePage([free("1"), free("2")], true);

    selection.tidy([taken("1"), free("9")]);

    expect([...selection.ids.value]).toEqual(["2"]);
  });
});
