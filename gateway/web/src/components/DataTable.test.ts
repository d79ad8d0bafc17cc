// @vitest-environment happy-dom
// Tests of the table of lists: order, chosen columns, and what a person keeps.
import { mount } from "@vue/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Component } from "vue";
import { forgetPreferences, loadPreferences, usePreference } from "@/composables/preferences";
import { sortsOf, type Column } from "@/components/columns";
import DataTable from "@/components/DataTable.vue";
import { fakeApi } from "@/testing/fakeApi";
import { settle } from "@/testing/fields";

const COLUMNS: readonly Column[] = [
  { key: "name", title: "姓名", sort: "name" },
  { key: "phone", title: "手机号", width: 120 },
  { key: "at", title: "时间", isTime: true, sort: "at" },
  { key: "acts", title: "操作", isSticky: true },
];
const rows = [{ name: "王芳", phone: "138", at: "2026-11-25" }];

function table(props: Record<string, unknown> = {}) {
  return mount(DataTable as unknown as Component, {
    props: { caption: "会员", name: "people", columns: COLUMNS, rows, rowKey: (row: object) => (row as { name: string }).name, ...props },
    attachTo: document.body,
  });
}

const heads = (shown: ReturnType<typeof table>) => shown.findAll("th").map((head) => head.text());

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
  forgetPreferences();
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

describe("the order of a list", () => {
  it("goes from smallest first over greatest first to the list's own", async () => {
    const shown = table({ sort: "" });
    const head = () => shown.findAll("th")[0]!;
    expect(head().attributes("aria-sort")).toBe("none");

    for (const [sort, told] of [
      ["name", "ascending"],
      ["-name", "descending"],
      ["", "none"],
    ]) {
      await head().find("button").trigger("click");
      expect(shown.emitted("update:sort")!.slice(-1)[0]).toEqual([sort]);
      await shown.setProps({ sort });
      expect(head().attributes("aria-sort")).toBe(told);
    }
  });

  it("is offered by the columns that mean one, alone", () => {
    const shown = table({ sort: "" });
    expect(shown.findAll("th button").map((button) => button.text())).toEqual(["姓名", "时间"]);
    expect(sortsOf(COLUMNS)).toEqual(["name", "at"]);
  });

  it("is not offered where the list has none", () => {
    expect(table().findAll("th button")).toEqual([]);
  });
});

describe("the columns of a list", () => {
  async function open(shown: ReturnType<typeof table>) {
    await shown.find("button[aria-expanded]").trigger("click");
    return (title: string) =>
      shown
        .findAll("label")
        .find((label) => label.text() === title)!
        .find("input");
  }

  it("are those that a person chose, and come back", async () => {
    const api = fakeApi();
    api.answer({});
    const shown = table();
    const box = await open(shown);
    await box("手机号").setValue(false);
    expect(heads(shown)).toEqual(["姓名", "时间", "操作"]);
    await box("紧凑行距").setValue(true);
    expect(shown.classes()).toContain("dense");

    vi.runAllTimers();
    vi.useRealTimers();
    await settle();
    const value = JSON.stringify({ hidden: ["phone"], widths: {}, isDense: true });
    expect(api.commands.map(({ path, body }) => [path, body])).toEqual([["/api/v1/me/preferences", { name: "list.people", value }]]);

    forgetPreferences();
    fakeApi({ "/api/v1/me/preferences": { items: [{ name: "list.people", value }] } });
    await loadPreferences();
    expect(heads(table())).toEqual(["姓名", "时间", "操作"]);
  });

  it("never all disappear, nor those that stay in sight", async () => {
    const shown = table();
    const box = await open(shown);
    await box("手机号").setValue(false);
    await box("时间").setValue(false);
    expect(box("姓名").attributes("disabled")).toBeDefined();
    expect(shown.findAll("label").map((label) => label.text())).not.toContain("操作");
  });

  it("are widened and narrowed by buttons, within bounds", async () => {
    const shown = table();
    await open(shown);
    const press = (name: string) => shown.find(`button[aria-label=${name}]`).trigger("click");
    await press("加宽手机号");
    expect(shown.findAll("th")[1]!.attributes("style")).toContain("width: 144px");
    for (let presses = 0; presses < 9; presses++) await press("收窄手机号");
    expect(shown.findAll("th")[1]!.attributes("style")).toContain("width: 56px");

    const reset = shown.findAll("button").find((button) => button.text() === "恢复默认")!;
    await reset.trigger("click");
    expect(shown.findAll("th")[1]!.attributes("style")).toContain("width: 120px");
  });

  it("of another account are its own", () => {
    const size = usePreference("list.size", 20);
    size.value = 50;
    forgetPreferences();
    expect(usePreference("list.size", 20).value).toBe(20);
  });
});

describe("a moment", () => {
  it("stays in one line", () => {
    expect(table().findAll("td")[2]!.classes()).toContain("time");
  });
});
