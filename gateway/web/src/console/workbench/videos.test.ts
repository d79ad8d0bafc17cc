// Tests of videos: which are played in the page, and with which captions.
import { expect, test } from "vitest";
import { isOurs, videosOf } from "@/console/workbench/videos";

const file = (attachment_id: string, file_name: string) => ({ attachment_id, file_name, size: 10 });

test("a video that comes with the pages has captions and a poster beside it", () => {
  expect(videosOf({ title: "系统校验", video_url: "/videos/check.mp4", attachments: [] })).toEqual([
    { title: "系统校验", src: "/videos/check.mp4", captions: "/videos/check.vtt", poster: "/videos/check.jpg" },
  ]);
});

test("an attached video is played with the captions that are attached under its name", () => {
  const attachments = [file("a", "说明.pdf"), file("b", "讲解.MP4"), file("c", "讲解.vtt"), file("d", "其他.webm")];

  expect(videosOf({ title: "通知", attachments })).toEqual([
    { title: "讲解.MP4", src: "/api/v1/attachments/b", captions: "/api/v1/attachments/c" },
    { title: "其他.webm", src: "/api/v1/attachments/d", captions: undefined },
  ]);
});

test.each(["https://video.example/1.mp4", "//video.example/videos/1.mp4", "/videos/../api/v1/me", "/videos/a.html", ""])(
  "%j is no video of ours",
  (address) => {
    expect(isOurs(address)).toBe(false);
    expect(videosOf({ title: "外部", video_url: address, attachments: [] })).toEqual([]);
  },
);
