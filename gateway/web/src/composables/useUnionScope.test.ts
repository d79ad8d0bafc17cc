// @vitest-environment happy-dom
// Tests of which unions a list asks for.
import { beforeEach, expect, it } from "vitest";
import { useUnionScope } from "@/composables/useUnionScope";
import { signIn } from "@/testing/fakeApi";
import type { Account } from "@/api/types";

const asAccount = (roles: string[], kind: string) =>
  signIn({ roles, union: { union_id: "own", name: "杨浦区总工会", code: "81", kind, superior_ids: [] } } as unknown as Partial<Account>);

beforeEach(() => asAccount(["reviewer"], "superior"));

it("a superior sees its own union with all below, unless it is told otherwise", () => {
  const scope = useUnionScope();
  expect(scope.asAsked({ name: "", union_id: "", below: "" })).toEqual({ union_id: "own", with_subordinates: true });
  expect(scope.asAsked({ union_id: "u", below: "false" })).toEqual({ union_id: "u", with_subordinates: false });
});

it("a clerk's list asks for no union", () => {
  asAccount(["clerk"], "superior");
  expect(useUnionScope().asAsked({ name: "王", union_id: "u", below: "" })).toEqual({ name: "王" });
});

it("there is nothing to choose for who has none below", () => {
  asAccount(["administrator"], "grassroots");
  expect(useUnionScope().looksDown.value).toBe(false);
});

it("acts are offered where one's own union alone is shown", () => {
  const { isOwnAlone } = useUnionScope();
  expect(isOwnAlone({ union_id: "", below: "" })).toBe(false);
  expect(isOwnAlone({ union_id: "", below: "false" })).toBe(true);
  expect(isOwnAlone({ union_id: "u", below: "false" })).toBe(false);
});
