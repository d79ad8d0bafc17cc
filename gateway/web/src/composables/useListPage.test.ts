// @vitest-environment happy-dom
// Tests of useListPage: what stands in the URL, searches while one types, order and size, rows of a failed search.
import { mount } from "@vue/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { defineComponent, h } from "vue";
import { createMemoryHistory, createRouter } from "vue-router";
import { ApiProblem } from "@/api/problems";
import { forgetPreferences } from "@/composables/preferences";
import { readQuery, useListPage, writeQuery } from "@/composables/useListPage";
import { fakeApi } from "@/testing/fakeApi";

const EMPTY = { name: "", card_state: "" };

describe("a list's address", () => {
  it("comes back as it was written", () => {
    const query = writeQuery({ name: "王", card_state: "none" }, 3, 50, "-name");

    expect(readQuery(query, EMPTY)).toEqual({ filters: { name: "王", card_state: "none" }, page: 3, size: 50, sort: "-name" });
  });

  it("is short where nothing was chosen", () => {
    expect(writeQuery({ name: " ", card_state: "" }, 1, 20)).toEqual({});
    expect(writeQuery({}, 1, 50, "", 50)).toEqual({});
  });

  it("that makes no sense gives the first page", () => {
    const query = { page: "-4", size: "7", name: ["a", "b"], foreign: "x" };

    expect(readQuery(query, EMPTY)).toEqual({ filters: EMPTY, page: 1, size: 20, sort: "" });
  });
});

describe("a list", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    fakeApi().answer({});
  });
  afterEach(() => {
    vi.useRealTimers();
    forgetPreferences();
    vi.unstubAllGlobals();
  });

  async function opened(address = "/people") {
    const asked: Record<string, unknown>[] = [];
    let answer: () => unknown = () => ({ items: [{ name: "王芳" }], total: 900, total_is_exact: true });
    const fetchRows = (query: Record<string, unknown>) => {
      asked.push(query);
      return Promise.resolve().then(answer) as never;
    };
    let list!: ReturnType<typeof useListPage<{ name: string }, typeof EMPTY, never>>;
    const page = defineComponent(() => {
      list = useListPage(EMPTY, fetchRows, {
        sorts: ["name"],
        live: { name: (value) => value.length > 1 },
        check: ({ card_state }) => ({ card_state: card_state === "odd" ? "没有这种状态" : "" }),
      });
      return () => h("p");
    });
    const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/people", component: page }] });
    await router.push(address);
    const wrapper = mount(page, { global: { plugins: [router] } });
    const rest = async () => {
      await vi.runAllTimersAsync();
    };
    await rest();
    return {
      list,
      asked,
      rest,
      wrapper,
      address: () => router.currentRoute.value.fullPath,
      back: () => router.back(),
      answer: (other: () => unknown) => (answer = other),
    };
  }

  it("searches while one types, once the value will do, and all that was typed is one step back", async () => {
    const { list, asked, rest, address, back } = await opened();
    list.form.name = "王";
    await rest();
    expect(asked).toHaveLength(1);

    list.form.name = "王伟";
    await rest();
    list.form.name = "王伟明";
    await rest();
    expect(asked.slice(1).map(({ name }) => name)).toEqual(["王伟", "王伟明"]);

    back();
    await rest();
    expect(address()).toBe("/people");
  });

  it("does not search twice where Enter was pressed before the pause was over", async () => {
    const { list, asked, rest } = await opened();
    list.form.name = "王伟";
    await vi.advanceTimersByTimeAsync(10);
    list.search();
    await rest();

    expect(asked.slice(1).map(({ name }) => name)).toEqual(["王伟"]);
  });

  it("has its order in the address, and begins again with the first page", async () => {
    const { list, asked, rest, address } = await opened("/people?page=3");
    list.sort.value = "-name";
    await rest();

    expect(address()).toBe("/people?sort=-name");
    expect(asked.slice(-1)[0]).toEqual({ page: 1, size: 20, sort: "-name" });
  });

  it("asks for no order that it does not offer", async () => {
    const { asked } = await opened("/people?sort=phone");

    expect(asked).toEqual([{ page: 1, size: 20 }]);
  });

  it("keeps the size of its pages for all lists", async () => {
    const first = await opened();
    first.list.goTo(1, 50);
    await first.rest();
    expect(first.address()).toBe("/people");
    expect(first.asked.slice(-1)[0]).toEqual({ page: 1, size: 50 });
    first.wrapper.unmount();

    const other = await opened();
    expect(other.asked).toEqual([{ page: 1, size: 50 }]);
  });

  it("sends no search whose filter is wrong, and says so at the filter until it is changed", async () => {
    const { list, asked, rest } = await opened();
    list.form.card_state = "odd";
    await rest();
    list.search();
    await rest();
    expect(asked).toHaveLength(1);
    expect(list.errorOf("card_state")).toBe("没有这种状态");

    list.form.card_state = "none";
    await rest();
    expect(list.errorOf("card_state")).toBeUndefined();
  });

  it("shows no rows of another search where one failed, and names the field", async () => {
    const { list, rest, answer } = await opened();
    answer(() => {
      throw new ApiProblem(422, "invalid", "请求未被接受", undefined, [{ field: "name", code: "wrong", reason: "姓名过长" }]);
    });
    await list.refresh();
    expect(list.answer.value).toBeDefined();

    list.form.name = "王伟";
    await rest();
    expect(list.answer.value).toBeUndefined();
    expect(list.errorOf("name")).toBe("姓名过长");
  });
});
