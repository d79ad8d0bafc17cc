// @vitest-environment happy-dom
// Tests of the dialogs of this folder.
import AnnouncementDialog from "@/console/news/AnnouncementDialog.vue";
import GuideDialog from "@/console/news/GuideDialog.vue";
import { describeDialog } from "@/testing/dialogs";

const kept = { attachment_id: "f-1", file_name: "办法.pdf", size: 1200 };
const announcement = { announcement_id: "n-1", title: "停机通知", body: "周六停机", places: ["workbench"], attachments: [kept] };
const guide = { guide_id: "g-1", title: "如何提交", body: "先校验", video_url: null, position: 2, attachments: [] };

describeDialog("a new announcement", {
  dialog: AnnouncementDialog,
  opensBy: "model",
  title: "发布通知公告",
  shows: { 标题: "", 内容: "", 显示位置: ["sign_in", "workbench"] },
  empties: { 显示位置: [] },
  refuses: { 标题: "请填写标题", 内容: "请填写内容", 显示位置: "请选择显示位置" },
  fills: { 标题: " 停机通知", 内容: "周六停机\n", 显示位置: ["sign_in"] },
  sends: {
    method: "POST",
    path: "/api/v1/announcements",
    body: { title: "停机通知", body: "周六停机\n", places: ["sign_in"], attachments: [] },
  },
  answer: announcement,
  problemAt: ["title", "标题"],
  tells: "通知公告已发布",
  emits: "saved",
});

describeDialog("an announcement that is edited", {
  dialog: AnnouncementDialog,
  props: { announcement },
  opensBy: "model",
  title: "修改通知公告",
  shows: { 标题: "停机通知", 内容: "周六停机", 显示位置: ["workbench"] },
  empties: { 标题: " " },
  refuses: { 标题: "请填写标题" },
  fills: { 标题: "停机时间" },
  alsoDoes: ({ press }) => press("移除"),
  sends: {
    method: "PATCH",
    path: "/api/v1/announcements/n-1",
    body: { title: "停机时间", body: "周六停机", places: ["workbench"], attachments: [], removed_attachment_ids: ["f-1"] },
  },
  answer: announcement,
  problemAt: ["body", "内容"],
  tells: "通知公告已修改",
  emits: "saved",
});

describeDialog("a new guide", {
  dialog: GuideDialog,
  props: { nextPosition: 3 },
  opensBy: "model",
  title: "发布新手指引",
  shows: { 标题: "", 内容: "", 视频地址: "", 排序: 3 },
  empties: { 视频地址: "http://video.example/1" },
  refuses: { 标题: "请填写标题", 内容: "请填写内容", 视频地址: "请填写 https:// 开头的链接" },
  fills: { 标题: "如何提交", 内容: "先校验", 视频地址: " https://video.example/1 " },
  sends: {
    method: "POST",
    path: "/api/v1/guides",
    body: { title: "如何提交", body: "先校验", video_url: "https://video.example/1", position: 3, attachments: [] },
  },
  answer: guide,
  problemAt: ["video_url", "视频地址"],
  tells: "新手指引已发布",
  emits: "saved",
});

describeDialog("a guide that is edited", {
  dialog: GuideDialog,
  props: { guide, nextPosition: 3 },
  opensBy: "model",
  title: "修改新手指引",
  shows: { 标题: "如何提交", 内容: "先校验", 视频地址: "", 排序: 2 },
  empties: { 内容: "" },
  refuses: { 内容: "请填写内容" },
  fills: { 排序: 1 },
  alsoDoes: ({ press }) => press("系统校验"),
  sends: {
    method: "PATCH",
    path: "/api/v1/guides/g-1",
    body: { title: "如何提交", body: "先校验", video_url: "/videos/check.mp4", position: 1, attachments: [], removed_attachment_ids: [] },
  },
  answer: guide,
  problemAt: ["position", "排序"],
  tells: "新手指引已修改",
  emits: "saved",
});
