// Tests of useLatest: aborted and late responses.
import { effectScope } from "vue";
import { describe, expect, it } from "vitest";
import { useLatest } from "@/composables/useLatest";
import { ApiProblem } from "@/api/problems";

/** Requests that the test answers, each by its index. */
function answering() {
  const asked: { word: string; signal: AbortSignal; resolve: (answer: string) => void; reject: (error: unknown) => void }[] = [];
  const scope = effectScope();
  const latest = scope.run(() =>
    useLatest(
      (signal, word: string) =>
        new Promise<string>((resolve, reject) => {
          asked.push({ word, signal, resolve, reject });
        }),
    ),
  )!;
  return { latest, asked, scope };
}

const busy = () => new ApiProblem(503, "busy", "系统繁忙");

describe("the latest request", () => {
  it("shows its answer", async () => {
    const { latest, asked } = answering();

    const run = latest.run("one");
    expect(latest.isLoading.value).toBe(true);
    asked[0]!.resolve("first");

    expect(await run).toBe("first");
    expect(latest.answer.value).toBe("first");
    expect(latest.isLoading.value).toBe(false);
  });

  it("aborts the one before it, whose answer is dropped whenever it comes", async () => {
    const { latest, asked } = answering();

    const earlier = latest.run("one");
    const later = latest.run("two");
    expect(asked[0]!.signal.aborted).toBe(true);
    asked[1]!.resolve("second");
    expect(await later).toBe("second");
    asked[0]!.resolve("first");

    expect(await earlier).toBeUndefined();
    expect(latest.answer.value).toBe("second");
  });

  it("is still loading when the one before it fails", async () => {
    const { latest, asked } = answering();

    const earlier = latest.run("one");
    void latest.run("two");
    asked[0]!.reject(busy());
    await earlier;

    expect(latest.problem.value).toBeUndefined();
    expect(latest.isLoading.value).toBe(true);
  });

  it("that failed keeps the answer before it, and its problem goes with the next answer", async () => {
    const { latest, asked } = answering();
    const first = latest.run("one");
    asked[0]!.resolve("first");
    await first;

    const failed = latest.run("two");
    asked[1]!.reject(busy());
    expect(await failed).toBeUndefined();
    expect(latest.problem.value?.code).toBe("busy");
    expect(latest.answer.value).toBe("first");

    const next = latest.run("three");
    asked[2]!.resolve("third");
    await next;
    expect(latest.problem.value).toBeUndefined();
  });

  it("is no longer waited for once it is cleared", async () => {
    const { latest, asked } = answering();

    const run = latest.run("one");
    latest.clear();
    expect(asked[0]!.signal.aborted).toBe(true);
    expect(latest.isLoading.value).toBe(false);
    asked[0]!.resolve("first");
    await run;

    expect(latest.answer.value).toBeUndefined();
  });

  it("is aborted without a problem when the page is left", async () => {
    const { latest, asked, scope } = answering();

    const run = latest.run("one");
    scope.stop();
    expect(asked[0]!.signal.aborted).toBe(true);
    asked[0]!.reject(asked[0]!.signal.reason);
    await run;

    expect(latest.problem.value).toBeUndefined();
  });
});
