// Tests of attachments: which files are refused.
import { expect, test } from "vitest";
import { attachmentProblem, readFile } from "@/console/news/attachments";

test("refuses too many, too large and empty files before they are sent", () => {
  const small = { name: "说明.pdf", size: 10 };

  expect(attachmentProblem([small], 4)).toBeUndefined();
  expect(attachmentProblem([small, small], 4)).toBe("最多 5 个附件");
  expect(attachmentProblem([{ name: "大.mp4", size: 11_000_000 }], 0)).toBe("大.mp4 为 11.0 MB，附件不能超过 10 MB");
  expect(attachmentProblem([{ name: "空.txt", size: 0 }], 0)).toBe("空.txt 是空文件");
});

test("reads a file of any bytes, longer than one piece", async () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, place) => place % 256);

  const read = await readFile(new File([bytes], "a.bin"));

  expect(read.content_type).toBe("application/octet-stream");
  expect(Uint8Array.from(atob(read.content), (letter) => letter.charCodeAt(0))).toEqual(bytes);
});
