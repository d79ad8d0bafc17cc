// Tests of the grouping of dead letters by queue.
import { expect, test } from "vitest";
import { byQueue } from "@/console/operations/deadLetterKeys";

test("asks each queue once, for all letters that are chosen of it", () => {
  const letters = [
    { queue: "a", id: "1" },
    { queue: "b", id: "1" },
    { queue: "a", id: "2" },
  ];

  expect([...byQueue(letters)]).toEqual([
    ["a", ["1", "2"]],
    ["b", ["1"]],
  ]);
});
