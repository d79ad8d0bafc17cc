// Chinese terms for branches and outlets.
import type { Term } from "@/locales/terms";

export const CHARSETS = {
  gb2312: "GB2312（只含常用字）",
  gbk: "GBK",
  gb18030: "GB18030（含生僻字）",
} as const;

export const PLACE_STATES = { open: "使用中", closed: "已停用", all: "全部" } as const;

export const stateOf = (place: { closed: boolean }): Term =>
  place.closed ? { text: PLACE_STATES.closed, tone: "plain" } : { text: PLACE_STATES.open, tone: "good" };

/** What the API takes for the code of a branch or outlet. */
export const isCode = (code: string): boolean => /^[a-z0-9][a-z0-9-]{1,19}$/.test(code);

/** How batches reach a branch. */
export function wayOf({ by_file, has_file_password }: { by_file?: boolean; has_file_password?: boolean }): string {
  if (!by_file) return "消息";
  return has_file_password ? "加密文件" : "加密文件，未设密码";
}
