// Tests of the Chinese texts of reasons for not being ready, and of changes.
import { expect, test } from "vitest";
import { changeText, reasonText } from "@/console/operations/terms";

test("what an operator can do something about is said in Chinese", () => {
  expect(reasonText("the queue batching.members_queued is missing; the administrator restores it: python -m deploy.broker declare")).toBe(
    "队列 batching.members_queued 缺失，请管理员执行 python -m deploy.broker declare 恢复",
  );
  expect(reasonText("the exchange batching.replies is missing; the administrator restores it: python -m deploy.broker declare")).toBe(
    "交换机 batching.replies 缺失，请管理员执行 python -m deploy.broker declare 恢复",
  );
  expect(reasonText("the broker takes no messages: it is short of memory or disk")).toBe("消息服务内存或磁盘不足，暂停接收消息");
  expect(reasonText("the database takes no changes: it is read-only")).toBe("数据库处于只读状态，不能保存");
  expect(reasonText("the database was restored to 2026-11-29T10:31:00+08:00 and takes no changes until it is reconciled")).toBe(
    "数据库已恢复至 2026-11-29T10:31:00+08:00，核对完成前不能保存",
  );
});

test("another reason is shown as it is", () => {
  expect(reasonText("starting")).toBe("starting");
});

test("a change says what was and what is", () => {
  const change = { at: "2026-11-30T08:30:00Z", service: "batching", before: "2", after: "3" };
  expect(changeText({ ...change, kind: "processes" })).toBe("进程数由 2 变为 3");
  expect(changeText({ ...change, kind: "release" })).toBe("版本由 2 变为 3");
});

test("of the reasons, only those that came or went are named", () => {
  const change = { at: "2026-11-30T08:30:00Z", service: "batching", kind: "reasons" as const };
  expect(changeText({ ...change, before: "starting\nother", after: "starting\nthe database takes no changes: it is read-only" })).toBe(
    "出现问题：数据库处于只读状态，不能保存；问题消除：other",
  );
});
