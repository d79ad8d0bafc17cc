// Tests of the Chinese texts of reasons for not being ready.
import { expect, test } from "vitest";
import { reasonText } from "@/console/operations/terms";

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
