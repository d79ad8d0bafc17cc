// Chinese terms for messages: to whom and by which way they go; and the pieces of a text.
import type { MessageTemplate } from "@/api/types";
import type { Term } from "@/locales/terms";

export const AUDIENCES: Record<MessageTemplate["audience"], string> = {
  member: "会员",
  contact: "批次联系人",
  clerk: "工会经办人",
  reviewer: "审核人",
  holder: "账号本人",
  administrator: "管理员",
  operator: "运维人员",
  applicant: "申请人",
  staff: "相关人员",
};

export const WAYS: Record<MessageTemplate["way"], string> = { inbox: "站内消息", sms: "短信" };

export const stateOf = ({ is_on, is_default }: MessageTemplate): Term => {
  if (!is_on) return { text: "已停用", tone: "warn" };
  return is_default ? { text: "默认", tone: "plain" } : { text: "已修改", tone: "busy" };
};

/** A text in pieces: variables in braces, and what is between them. */
export function piecesOf(text: string): { text: string; isVariable: boolean }[] {
  return text
    .split(/(\{[^{}]+\})/)
    .filter(Boolean)
    .map((piece) => ({ text: piece, isVariable: /^\{[^{}]+\}$/.test(piece) }));
}

/** `21-8` in words. */
export function quietHours(hours: string): string {
  const [from, to] = hours.split("-").map(Number) as [number, number];
  const until = `${from > to ? "次日 " : ""}${to}:00`;
  return from === to ? "没有设置免打扰时段" : `${from}:00 至${until} 为免打扰时段，可以等待的短信顺延到 ${to}:00 发送`;
}
