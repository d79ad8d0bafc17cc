// Attachments of announcements and guides: read from files, validated as the API does.
import type { components } from "@/api/schema";
import { fileSize } from "@/locales/format";

export type NewAttachment = components["schemas"]["notification.NewAttachment"];
export type KeptAttachment = components["schemas"]["notification.AttachmentAnswer"];

export const MOST_ATTACHMENTS = 5;
const LARGEST = 10 * 1024 * 1024;
const PIECE = 0x8000;

/** What a dialog holds of the files: those that are there, and those to come. */
export interface Files {
  kept: KeptAttachment[];
  removed: string[];
  added: { file_name: string; size: number; attachment: NewAttachment }[];
}

export const filesOf = (kept: readonly KeptAttachment[] = []): Files => ({ kept: [...kept], removed: [], added: [] });

/** Why these files cannot go with those that are there, in Chinese. */
export function attachmentProblem(chosen: readonly { name: string; size: number }[], already: number): string | undefined {
  if (already + chosen.length > MOST_ATTACHMENTS) return `最多 ${MOST_ATTACHMENTS} 个附件`;
  const large = chosen.find((file) => file.size > LARGEST);
  if (large) return `${large.name} 为 ${fileSize(large.size)}，附件不能超过 10 MB`;
  const empty = chosen.find((file) => file.size === 0);
  if (empty) return `${empty.name} 是空文件`;
  const long = chosen.find((file) => [...file.name].length > 100);
  return long && "文件名最多 100 个字";
}

/** A file with its content in base64. */
export async function readFile(file: File): Promise<NewAttachment> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return { file_name: file.name, content_type: file.type || "application/octet-stream", content: btoa(text) };
}
