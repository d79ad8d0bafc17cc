// Attachments of announcements and guides: read from files, validated as the API does.
import type { components } from "@/api/schema";
import { isVideo } from "@/console/workbench/videos";
import { fileSize } from "@/locales/format";

export type NewAttachment = components["schemas"]["notification.NewAttachment"];
export type KeptAttachment = components["schemas"]["notification.AttachmentAnswer"];

export const MOST_ATTACHMENTS = 5;
const MEGABYTE = 1024 * 1024;
/** In megabytes: of one file that is no video, of one video, and of all that are sent at once. */
const [LARGEST, LARGEST_VIDEO, MOST] = [10, 20, 20];
const PIECE = 0x8000;

/** What a dialog holds of the files: those that are there, and those to come. */
export interface Files {
  kept: KeptAttachment[];
  removed: string[];
  added: { file_name: string; size: number; attachment: NewAttachment }[];
}

export const filesOf = (kept: readonly KeptAttachment[] = []): Files => ({ kept: [...kept], removed: [], added: [] });

/** Why these files cannot go with those that are there, in Chinese. */
export function attachmentProblem(chosen: readonly { name: string; size: number }[], files: Files): string | undefined {
  if (files.kept.length + files.added.length + chosen.length > MOST_ATTACHMENTS) return `最多 ${MOST_ATTACHMENTS} 个附件`;
  const large = chosen.find((file) => file.size > largest(file.name) * MEGABYTE);
  if (large) return `${large.name} 为 ${fileSize(large.size)}，${isVideo(large.name) ? "视频" : "附件"}不能超过 ${largest(large.name)} MB`;
  if ([...files.added, ...chosen].reduce((sum, { size }) => sum + size, 0) > MOST * MEGABYTE)
    return `一次添加的附件合计不能超过 ${MOST} MB，请分几次保存`;
  const empty = chosen.find((file) => file.size === 0);
  if (empty) return `${empty.name} 是空文件`;
  const long = chosen.find((file) => [...file.name].length > 100);
  return long && "文件名最多 100 个字";
}

const largest = (name: string): number => (isVideo(name) ? LARGEST_VIDEO : LARGEST);

/** A file with its content in base64. */
export async function readFile(file: File): Promise<NewAttachment> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return { file_name: file.name, content_type: file.type || "application/octet-stream", content: btoa(text) };
}
