// Tests of the proof of work: numbers that the gateway accepts.
import { expect, test } from "vitest";
import { solve } from "@/composables/proofOfWork";

test("each number of a solution hashes to the zero bits that were asked for", async () => {
  const salt = "0192f0c10000400080000000000000ff";
  const done: number[] = [];

  const solution = solve({ salt, bits: 12, parts: 8 }, (part) => done.push(part));

  expect(solution).toMatch(/^[0-9a-f]{64}$/);
  expect(done).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  for (let part = 0; part < 8; part++) {
    const number = solution.slice(part * 8, part * 8 + 8);
    const hashed = new TextEncoder().encode(`${salt}${part.toString(16).padStart(8, "0")}${number}`);
    const hash = new DataView(await crypto.subtle.digest("SHA-256", hashed));
    expect(hash.getUint32(0) >>> 23).toBe(0);
  }
});
