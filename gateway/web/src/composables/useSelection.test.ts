// Tests of useSelection: selected rows over several pages.
import { afterEach, describe, expect, it } from "vitest";
import { forgetKept } from "@/composables/kept";
import { useSelection } from "@/composables/useSelection";

interface Row {
  id: string;
  free: boolean;
}
const free = (id: string): Row => ({ id, free: true });
const taken = (id: string): Row => ({ id, free: false });
const named = (name: string) =>
  useSelection<Row>(
    (row) => row.id,
    (row) => row.free,
    name,
  );
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

describe("a selection under a name", () => {
  afterEach(forgetKept);

  it("is there again when its list is come back to", () => {
    named("members").togglePage([free("1"), free("2")], true);

    expect([...named("members").ids.value]).toEqual(["1", "2"]);
    expect(named("batches").count.value).toBe(0);
  });

  it("is another account's no more", () => {
    named("members").toggle(free("1"), true);
    forgetKept();

    expect(named("members").count.value).toBe(0);
  });
});
