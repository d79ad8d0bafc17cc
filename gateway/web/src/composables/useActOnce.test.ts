// @vitest-environment happy-dom
// Tests of what a link asks a page to do.
import { mount } from "@vue/test-utils";
import { expect, it, vi } from "vitest";
import { defineComponent, h, ref } from "vue";
import { createMemoryHistory, createRouter } from "vue-router";
import { useActOnce } from "@/composables/useActOnce";
import { settle } from "@/testing/fields";

async function page(address: string) {
  const isReady = ref(false);
  const act = vi.fn();
  const list = defineComponent(() => {
    useActOnce("submit", () => isReady.value, act);
    return () => h("p");
  });
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/pending", component: list }] });
  await router.push(address);
  mount(list, { global: { plugins: [router] } });
  return { isReady, act, address: () => router.currentRoute.value.fullPath };
}

it("a page does what its address asks, once it is ready, and once only", async () => {
  const { isReady, act, address } = await page("/pending?act=submit&name=王");
  await settle();
  expect(act).not.toHaveBeenCalled();

  isReady.value = true;
  await settle();
  expect(act).toHaveBeenCalledOnce();
  expect(decodeURIComponent(address())).toBe("/pending?name=王");

  isReady.value = false;
  isReady.value = true;
  await settle();
  expect(act).toHaveBeenCalledOnce();
});

it("a page does nothing that its address does not ask", async () => {
  const { isReady, act } = await page("/pending?act=mend");
  isReady.value = true;
  await settle();
  expect(act).not.toHaveBeenCalled();
});
