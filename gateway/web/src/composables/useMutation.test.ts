import { describe, expect, it } from "vitest";
import { useMutation } from "@/composables/useMutation";
import { ApiProblem } from "@/api/problems";

/** An act that fails with each problem in turn, then succeeds; it tells the keys that it was given. */
function failing(...problems: ApiProblem[]) {
  const keys: string[] = [];
  const mutation = useMutation(async (key, _given: string) => {
    keys.push(key);
    const problem = problems.shift();
    if (problem) throw problem;
    return "done";
  });
  return { mutation, keys };
}

describe("an act", () => {
  it("that got no answer is sent again under the same key", async () => {
    const { mutation, keys } = failing(ApiProblem.unreachable());

    expect(await mutation.run("same")).toBeUndefined();
    expect(mutation.problem.value?.code).toBe("unreachable");
    expect(await mutation.run("same")).toBe("done");
    expect(keys[0]).toBe(keys[1]);
  });

  it("that was refused is another act when it is sent again", async () => {
    const { mutation, keys } = failing(new ApiProblem(409, "conflict", "冲突"));

    await mutation.run("same");
    await mutation.run("same");

    expect(keys[0]).not.toBe(keys[1]);
  });

  it("with other content is another act", async () => {
    const { mutation, keys } = failing(ApiProblem.unreachable());

    await mutation.run("one");
    await mutation.run("other");

    expect(keys[0]).not.toBe(keys[1]);
  });

  it("runs once at a time", async () => {
    const { mutation, keys } = failing();

    await Promise.all([mutation.run("same"), mutation.run("same")]);

    expect(keys).toHaveLength(1);
  });

  it("tells what it runs with", async () => {
    const { mutation } = failing();

    const run = mutation.run("given");
    expect(mutation.running.value).toEqual(["given"]);
    await run;
    expect(mutation.running.value).toBeUndefined();
  });
});
