// @vitest-environment happy-dom
// Tests of the drawer of details: the way to the rows before and after.
import { mount } from "@vue/test-utils";
import { afterEach, describe, expect, it, vi } from "vitest";
import DetailsDrawer from "@/components/DetailsDrawer.vue";
import { createMemoryHistory, createRouter } from "vue-router";
import { press, settle } from "@/testing/fields";

const rows = ["1", "2", "3"].map((key) => ({ key, to: `/members/${key}` }));

async function drawer(current: string) {
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/:rest(.*)*", component: { render: () => null } }] });
  const replace = vi.spyOn(router, "replace");
  const shown = mount(DetailsDrawer, {
    props: { title: "王芳", current, rows },
    attachTo: document.body,
    global: { plugins: [router] },
  });
  await settle();
  const isDisabled = (word: string) =>
    [...document.querySelectorAll("button")].find((one) => one.textContent.trim() === word)?.disabled ?? "absent";
  return { shown, replace, isDisabled };
}

afterEach(() => document.body.replaceChildren());

describe("a drawer of details", () => {
  it("leads to the row after and the row before, and says where in the list one is", async () => {
    const { shown, replace } = await drawer("2");
    expect(document.body.textContent).toContain("2 / 3");
    press("下一条");
    await settle();
    press("上一条");
    await settle();
    expect(replace.mock.calls).toEqual([["/members/3"], ["/members/1"]]);
    shown.unmount();
  });

  it("ends where the page of the list does", async () => {
    const first = await drawer("1");
    expect([first.isDisabled("上一条"), first.isDisabled("下一条")]).toEqual([true, false]);
    first.shown.unmount();
    const last = await drawer("3");
    expect([last.isDisabled("上一条"), last.isDisabled("下一条")]).toEqual([false, true]);
    last.shown.unmount();
  });

  it("leads nowhere where the row is not on the page", async () => {
    const { shown, isDisabled } = await drawer("7");
    expect(isDisabled("下一条")).toBe("absent");
    shown.unmount();
  });

  it("is no landmark of the page, and has its title as its name", async () => {
    const { shown } = await drawer("2");
    expect(document.querySelector(".el-drawer header, .el-drawer footer")).toBeNull();
    expect(document.querySelector("[role=dialog]")?.getAttribute("aria-label")).toBe("王芳");
    shown.unmount();
  });
});
