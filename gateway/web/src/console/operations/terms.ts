// Chinese terms for services, kinds of queues, and their status.
import type { Alert, DeadLetter, QueueDepth, ServiceStatus, StatusChange } from "@/api/types";
import { count, dateTime } from "@/locales/format";
import type { Term } from "@/locales/terms";

export const SERVICES: Record<string, string> = {
  membership: "会员",
  validation: "校验",
  batching: "批次",
  revocation: "撤销",
  notification: "通知",
  gateway: "网关",
};

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^the exchange (\S+) is missing; the administrator restores it: (.+)$/, "交换机 $1 缺失，请管理员执行 $2 恢复"],
  [/^the queue (\S+) is missing; the administrator restores it: (.+)$/, "队列 $1 缺失，请管理员执行 $2 恢复"],
  [/^the broker takes no messages: .+$/, "消息服务内存或磁盘不足，暂停接收消息"],
  [/^the database takes no changes: it is read-only$/, "数据库处于只读状态，不能保存"],
  [/^the database was restored to (\S+) and takes no changes until it is reconciled$/, "数据库已恢复至 $1，核对完成前不能保存"],
  [/^the database takes no changes: its disk is full$/, "数据库磁盘已满，不能保存"],
  [/^the outbox keeps what the broker does not take: (.+)$/, "有消息无法送达，保存在发件箱中等待：$1"],
];

/** What keeps a process from working, in Chinese where an operator can do something about it. */
export function reasonText(reason: string): string {
  const known = REASONS.find(([pattern]) => pattern.test(reason));
  return known ? reason.replace(...known) : reason;
}

export const QUEUE_KINDS = {
  requests: "请求",
  events: "事件",
  retry: "等待重试",
  dead: "死信",
  to_bank: "发往银行",
  from_bank: "银行反馈",
  to_insurer: "发往互助会",
  from_insurer: "参保信息",
} as const;

export const serviceName = (service: string): string => {
  const word = SERVICES[service];
  return word ? `${word}（${service}）` : service;
};

/** What an alert is about: a program by its name, or a queue; and the process. */
export const subjectName = ({ subject, instance }: Alert): string =>
  [subject in SERVICES ? serviceName(subject) : subject, instance].filter(Boolean).join(" ");

/** How urgent an alert is that fires, or that it is over. */
export function urgencyOf({ severity, ended_at }: Alert): Term {
  if (ended_at) return { text: "已恢复", tone: "good" };
  return severity === "page" ? { text: "紧急", tone: "bad" } : { text: "一般", tone: "warn" };
}

/** What changed in a service, in Chinese. */
export function changeText({ kind, before, after }: StatusChange): string {
  if (kind === "release") return `版本由 ${before} 变为 ${after}`;
  if (kind === "processes") return `进程数由 ${before} 变为 ${after}`;
  if (kind === "silence") return `自 ${dateTime(before)} 至 ${dateTime(after)} 没有采样，该服务可能停止过`;
  const [gone, come] = [difference(before, after), difference(after, before)];
  return [come && `出现问题：${come}`, gone && `问题消除：${gone}`].filter(Boolean).join("；");
}

/** The reasons, one a line, that are in `these` and not in `others`. */
function difference(these: string, others: string): string {
  const known = new Set(others.split("\n"));
  return these
    .split("\n")
    .filter((reason) => reason && !known.has(reason))
    .map(reasonText)
    .join("；");
}

/** The union that a dead letter is about, as far as it is known. */
export const unionOf = ({ union_name, union_code }: DeadLetter): string => union_name ?? union_code ?? "工会未知";

/** The batch and how many persons a dead letter is about. */
export const batchAndPersons = ({ batch_no, persons }: DeadLetter): string =>
  [batch_no && `批次 ${batch_no}`, persons !== null && `${count(persons)} 人`].filter(Boolean).join("，");

export function healthOf({ answers, status }: ServiceStatus): Term {
  if (!answers) return { text: "无应答", tone: "bad" };
  return status?.reasons.length ? { text: "有问题", tone: "warn" } : { text: "正常", tone: "good" };
}

/** Whether a queue that services should consume has no consumer. The bank consumes its own. */
export const hasNoConsumer = ({ kind, consumers }: QueueDepth): boolean =>
  (kind === "requests" || kind === "events" || kind.startsWith("from_")) && consumers === 0;
