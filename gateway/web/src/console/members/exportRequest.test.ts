// Tests of the request to export members.
import { expect, it } from "vitest";
import { exportRequest, memberFilter, reasonProblem } from "@/console/members/exportRequest";

it("an export asks for what the list is filtered by", () => {
  expect(exportRequest({ name: "王", sex: "female", with_subordinates: false }, false, "")).toEqual({
    filter: { name: "王", sex: "female", with_subordinates: false },
    whole_numbers: false,
  });
});

it("an export of whole numbers says why", () => {
  expect(exportRequest({}, true, " 上级检查 ")).toEqual({ filter: {}, whole_numbers: true, reason: "上级检查" });
});

it("an export of masked numbers needs no reason, not even one that was typed before", () => {
  expect(exportRequest({}, false, "上级检查")).toEqual({ filter: {}, whole_numbers: false });
});

it("spaces are no reason", () => {
  expect(reasonProblem("  \t ")).not.toBe("");
  expect(reasonProblem("核对")).toBe("");
});

it("a filter by membership is a truth value in a request", () => {
  expect(memberFilter({ name: "", has_left: "false" })).toEqual({ has_left: false });
  expect(memberFilter({ name: "王", has_left: "true" })).toEqual({ name: "王", has_left: true });
  expect(memberFilter({ has_left: "" })).toEqual({});
});
