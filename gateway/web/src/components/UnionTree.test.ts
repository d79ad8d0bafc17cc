// @vitest-environment happy-dom
// Tests of the tree of unions: it loads level by level, and works by keyboard.
import { mount, type VueWrapper } from "@vue/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Union } from "@/api/types";
import UnionTree from "@/components/UnionTree.vue";
import { LEVEL_SIZE } from "@/components/unionTree";
import { settle } from "@/testing/fields";

const union = (union_id: string, kind: Union["kind"], superior_union_id: string | null = null): Union => ({
  union_id,
  name: `工会${union_id}`,
  code: union_id,
  kind,
  superior_union_id,
  superior_ids: superior_union_id ? [superior_union_id] : [],
});
const CITY = union("city", "city");
const DISTRICTS = Array.from({ length: LEVEL_SIZE + 1 }, (_, number) => union(`d${number}`, "superior", "city"));
const BELOW: Record<string, Union[]> = { city: DISTRICTS, d0: [union("g0", "grassroots", "d0")], d1: [] };

let requests: URLSearchParams[];
let tree: VueWrapper;

beforeEach(async () => {
  requests = [];
  vi.stubGlobal("fetch", (request: Request): Promise<Response> => {
    const query = new URL(request.url).searchParams;
    requests.push(query);
    const all = BELOW[query.get("superior_union_id")!]!;
    const first = (Number(query.get("page")) - 1) * LEVEL_SIZE;
    return Promise.resolve(Response.json({ items: all.slice(first, first + LEVEL_SIZE), total: all.length }));
  });
  tree = mount(UnionTree, { props: { root: CITY, chosen: "city" }, attachTo: document.body });
  await settle();
});
afterEach(() => tree.unmount());

const rows = () => tree.findAll("[role=treeitem]");
const focused = () => (document.activeElement as HTMLElement).dataset.key;

async function press(key: string): Promise<void> {
  await tree.find(`[data-key="${focused()}"]`).trigger("keydown", { key });
  await settle();
}

async function enter(): Promise<void> {
  rows()[0]!.element.dispatchEvent(new FocusEvent("focus"));
  (rows()[0]!.element as HTMLElement).focus();
  await settle();
}

describe("a tree of unions", () => {
  it("loads one level at first, and no more of it than a part", () => {
    expect(requests.map((query) => query.get("superior_union_id"))).toEqual(["city"]);
    expect(rows()).toHaveLength(1 + LEVEL_SIZE + 1);
    expect(rows().slice(-1)[0]!.text()).toBe("显示更多工会");
  });

  it("loads the rest of a level when asked, and goes on there", async () => {
    await enter();
    await press("End");
    await press("Enter");
    expect(rows()).toHaveLength(1 + DISTRICTS.length);
    expect(focused()).toBe(`d${LEVEL_SIZE}`);
  });

  it("opens and shuts by the keys, and loads a level once", async () => {
    await enter();
    await press("ArrowDown");
    await press("ArrowRight");
    expect(tree.find("[data-key=d0]").attributes("aria-expanded")).toBe("true");
    await press("ArrowRight");
    expect(focused()).toBe("g0");
    await press("ArrowLeft");
    expect(focused()).toBe("d0");
    await press("ArrowLeft");
    expect(tree.find("[data-key=g0]").exists()).toBe(false);
    await press("ArrowRight");
    expect(tree.find("[data-key=g0]").exists()).toBe(true);
    expect(requests.filter((query) => query.get("superior_union_id") === "d0")).toHaveLength(1);
  });

  it("chooses by Enter and by a click, and Tab leads to one row alone", async () => {
    await enter();
    await press("ArrowDown");
    await press("Enter");
    await tree.find("[data-key=d1]").trigger("click");
    expect(tree.emitted("choose")!.map(([one]) => (one as Union).union_id)).toEqual(["d0", "d1"]);
    expect(rows().filter((row) => row.attributes("tabindex") === "0")).toHaveLength(1);
  });

  it("offers no opening of a grassroots union", async () => {
    await enter();
    await press("ArrowDown");
    await press("ArrowRight");
    expect(tree.find("[data-key=g0]").attributes("aria-expanded")).toBeUndefined();
  });
});
