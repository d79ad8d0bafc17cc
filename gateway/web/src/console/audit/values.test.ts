// Tests of the changes of audit events as text.
import { expect, test } from "vitest";
import { changesOf } from "@/console/audit/values";

test("says what was before and after, and what of it has changed", () => {
  const old = { display_name: "王芳", roles: ["clerk"], disabled: false };

  expect(changesOf(old, { display_name: "王芳", roles: ["clerk", "reviewer"], disabled: true })).toEqual([
    { name: "姓名", before: "王芳", after: "王芳", isChanged: false },
    { name: "角色", before: "经办人", after: "经办人、审核人", isChanged: true },
    { name: "已停用", before: "否", after: "是", isChanged: true },
  ]);
});

test("shows what is told of one side only, and calls unknown things by their own name", () => {
  expect(changesOf(null, { title: "通知", colour: 3 })).toEqual([
    { name: "标题", before: "–", after: "通知", isChanged: true },
    { name: "colour", before: "–", after: "3", isChanged: true },
  ]);
});

test("has no lines where nothing is told", () => {
  expect(changesOf(null, undefined)).toEqual([]);
});
