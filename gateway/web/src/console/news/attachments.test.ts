// Tests of attachments: which files are refused.
import { expect, test } from "vitest";
import { attachmentProblem, filesOf, readFile, type Files } from "@/console/news/attachments";

test("refuses too many, too large and empty files before they are sent", () => {
  const small = { name: "说明.pdf", size: 10 };
  const four = filesOf(Array.from({ length: 4 }, (_, place) => ({ attachment_id: String(place), file_name: "a.pdf", size: 1 })));

  expect(attachmentProblem([small], four)).toBeUndefined();
  expect(attachmentProblem([small, small], four)).toBe("最多 5 个附件");
  expect(attachmentProblem([{ name: "大.pdf", size: 11_000_000 }], filesOf())).toBe("大.pdf 为 11.0 MB，附件不能超过 10 MB");
  expect(attachmentProblem([{ name: "空.txt", size: 0 }], filesOf())).toBe("空.txt 是空文件");
});

test("a video may be larger, but what is sent at once is limited", () => {
  const video = { name: "讲解.mp4", size: 20 * 1024 * 1024 };
  const withFile: Files = { ...filesOf(), added: [{ file_name: "a.pdf", size: 1, attachment: {} as never }] };

  expect(attachmentProblem([video], filesOf())).toBeUndefined();
  expect(attachmentProblem([{ ...video, size: 22_000_000 }], filesOf())).toBe("讲解.mp4 为 22.0 MB，视频不能超过 20 MB");
  expect(attachmentProblem([video], withFile)).toBe("一次添加的附件合计不能超过 20 MB，请分几次保存");
});

test("reads a file of any bytes, longer than one piece", async () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, place) => place % 256);

  const read = await readFile(new File([bytes], "a.bin"));

  expect(read.content_type).toBe("application/octet-stream");
  expect(Uint8Array.from(atob(read.content), (letter) => letter.charCodeAt(0))).toEqual(bytes);
});
