import { describe, expect, it } from "vitest";
import { useAction } from "@/acts/useAction";
import { ApiProblem } from "@/api/problems";

/** An act that fails with each problem in turn, then succeeds; it tells the keys that it was given. */
function failing(...problems: ApiProblem[]) {
  const keys: string[] = [];
  const action = useAction(async (key, _given: string) => {
    keys.push(key);
    const problem = problems.shift();
    if (problem) throw problem;
    return "done";
  });
  return { action, keys };
}

describe("an act", () => {
  it("that got no answer is sent again under the same key", async () => {
    const { action, keys } = failing(ApiProblem.unreachable());

    expect(await action.run("same")).toBeUndefined();
    expect(action.problem.value?.code).toBe("unreachable");
    expect(await action.run("same")).toBe("done");
    expect(keys[0]).toBe(keys[1]);
  });

  it("that was refused is another act when it is sent again", async () => {
    const { action, keys } = failing(new ApiProblem(409, "conflict", "冲突"));

    await action.run("same");
    await action.run("same");

    expect(keys[0]).not.toBe(keys[1]);
  });

  it("with other content is another act", async () => {
    const { action, keys } = failing(ApiProblem.unreachable());

    await action.run("one");
    await action.run("other");

    expect(keys[0]).not.toBe(keys[1]);
  });

  it("runs once at a time", async () => {
    const { action, keys } = failing();

    await Promise.all([action.run("same"), action.run("same")]);

    expect(keys).toHaveLength(1);
  });
});
