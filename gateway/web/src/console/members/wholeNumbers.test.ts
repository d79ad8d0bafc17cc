// Tests of whole numbers: when they are hidden again.
import { effectScope } from "vue";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { SHOWN_SECONDS, useWholeNumbers } from "@/console/members/wholeNumbers";

const NUMBERS = { document_number: "310101197503080021", birth_date: "1975-03-08", sex: "female", phone: null, card_no: null } as const;
const tab = new EventTarget();
const scope = effectScope();

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("addEventListener", tab.addEventListener.bind(tab));
  vi.stubGlobal("removeEventListener", tab.removeEventListener.bind(tab));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function shown() {
  const whole = scope.run(useWholeNumbers)!;
  whole.show(NUMBERS);
  expect(whole.numbers.value).toEqual(NUMBERS);
  return whole;
}

it("whole numbers are hidden again after a while", () => {
  const { numbers } = shown();

  vi.advanceTimersByTime(SHOWN_SECONDS * 1000 - 1);
  expect(numbers.value).toEqual(NUMBERS);
  vi.advanceTimersByTime(1);

  expect(numbers.value).toBeUndefined();
});

it("whole numbers that are shown again have their whole while", () => {
  const { numbers, show } = shown();

  vi.advanceTimersByTime(SHOWN_SECONDS * 1000 - 1);
  show(NUMBERS);
  vi.advanceTimersByTime(1000);

  expect(numbers.value).toEqual(NUMBERS);
});

it("whole numbers are hidden when the page is left", () => {
  const { numbers } = shown();

  tab.dispatchEvent(new Event("pagehide"));

  expect(numbers.value).toBeUndefined();
});

it("whole numbers are hidden when their part of the page goes", () => {
  const { numbers } = shown();

  scope.stop();

  expect(numbers.value).toBeUndefined();
});
