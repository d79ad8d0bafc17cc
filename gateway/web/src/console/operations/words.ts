// What services and kinds of queues are called, and how services do.
import type { QueueDepth, ServiceStatus } from "@/api/types";
import type { Term } from "@/words/terms";

export const SERVICES: Record<string, string> = {
  membership: "会员", validation: "校验", batching: "批次", revocation: "撤销", notification: "通知",
};

export const QUEUE_KINDS = {
  requests: "请求", events: "事件", retry: "等待重试", dead: "死信", to_bank: "发往银行", from_bank: "银行反馈",
} as const;

export const serviceName = (service: string): string => {
  const word = SERVICES[service];
  return word ? `${word}（${service}）` : service;
};

export function healthOf({ answers, status }: ServiceStatus): Term {
  if (!answers) return { text: "无应答", tone: "bad" };
  return status?.reasons.length ? { text: "有问题", tone: "warn" } : { text: "正常", tone: "good" };
}

/** Whether nobody empties a queue that services should empty. The bank empties its own. */
export const isForsaken = ({ kind, consumers }: QueueDepth): boolean =>
  (kind === "requests" || kind === "events" || kind === "from_bank") && consumers === 0;
