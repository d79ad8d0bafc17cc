// The videos of guides and announcements that are played in the page: those that come with the pages, and attached ones.
import type { components } from "@/api/schema";

type Attachment = components["schemas"]["notification.AttachmentAnswer"];

export interface Video {
  title: string;
  src: string;
  /** WebVTT, if there are any. */
  captions?: string;
  poster?: string;
}

/** The titles of the videos that come with the pages, by the names of their files in `public/videos`. */
export const OUR_VIDEOS = {
  queueing: "加入待办",
  check: "系统校验",
  submission: "提交办卡",
  register: "打印清册",
  revocation: "撤销",
  phone: "手机申请",
} as const;

const ENDINGS = /\.(mp4|webm)$/i;

export const addressOf = (name: string): string => `/videos/${name}.mp4`;

/** Whether an address is that of a video which comes with the pages. */
export const isOurs = (address: string): boolean => /^\/videos\/[a-z0-9-]+\.mp4$/.test(address);

export const isVideo = (file_name: string): boolean => ENDINGS.test(file_name);

/** What of this can be played in the page; captions of an attached video are attached under its name, as .vtt. */
export function videosOf(of: { title: string; video_url?: string | null; attachments: readonly Attachment[] }): Video[] {
  const attached = of.attachments
    .filter((file) => isVideo(file.file_name))
    .map((file) => ({ title: file.file_name, src: pathOf(file), captions: captionsOf(file, of.attachments) }));
  if (!of.video_url || !isOurs(of.video_url)) return attached;
  const stem = of.video_url.replace(ENDINGS, "");
  return [{ title: of.title, src: of.video_url, captions: `${stem}.vtt`, poster: `${stem}.jpg` }, ...attached];
}

function captionsOf(video: Attachment, files: readonly Attachment[]): string | undefined {
  const name = video.file_name.replace(ENDINGS, ".vtt").toLowerCase();
  const captions = files.find((file) => file.file_name.toLowerCase() === name);
  return captions && pathOf(captions);
}

const pathOf = ({ attachment_id }: Attachment): string => `/api/v1/attachments/${attachment_id}`;
