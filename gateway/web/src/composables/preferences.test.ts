// @vitest-environment happy-dom
// Tests of choices that the server keeps: saved when they have settled, or when the page is left.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { forgetPreferences, saveUnsettled, usePreference } from "@/composables/preferences";
import { fakeApi } from "@/testing/fakeApi";

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  forgetPreferences();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a choice is saved once it has settled", async () => {
  const api = fakeApi();
  api.answer(null);
  const size = usePreference("list.size", 20);
  size.value = 50;
  size.value = 100;
  expect(api.commands).toEqual([]);

  await vi.runAllTimersAsync();

  expect(api.commands.map(({ body }) => body)).toEqual([{ name: "list.size", value: "100" }]);
});

test("a page that is left saves what has not settled, and once", async () => {
  const api = fakeApi();
  api.answer(null);
  usePreference("list.size", 20).value = 50;

  saveUnsettled();
  await vi.runAllTimersAsync();

  expect(api.commands.map(({ body }) => body)).toEqual([{ name: "list.size", value: "50" }]);
});
