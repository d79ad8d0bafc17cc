// The figures of a report: their names, how they are shown, and how they changed against the period before.
import type { Figures } from "@/api/types";
import { count, NOTHING } from "@/locales/format";

export type FigureKey = keyof Figures;

/** The figures in their order; `hint` explains what is not plain. */
export const FIGURES: readonly { key: FigureKey; title: string; hint?: string }[] = [
  { key: "members", title: "会员数", hint: "期末，含灵活就业会员" },
  { key: "cards", title: "累计办卡", hint: "截至期末" },
  { key: "card_rate", title: "办卡率", hint: "累计办卡 ÷ 会员数" },
  { key: "queued", title: "加入待办" },
  { key: "passed", title: "校验通过", hint: "按最后一次校验" },
  { key: "failed", title: "校验未通过", hint: "按最后一次校验" },
  { key: "submitted", title: "提交办卡" },
  { key: "issued", title: "办卡成功" },
  { key: "refused", title: "银行退回" },
  { key: "revoked", title: "批次撤销" },
  { key: "median_days", title: "办卡天数中位数", hint: "加入待办至办卡成功" },
  { key: "p90_days", title: "九成办结天数", hint: "九成会员在此天数内办成" },
  { key: "waiting_submission", title: "现待提交", hint: "现在" },
  { key: "waiting_bank", title: "现待银行", hint: "现在" },
];

/** Whether it is of a period, which another one is before; the others are of this moment. */
export function isOfPeriod(key: FigureKey): boolean {
  return key !== "waiting_submission" && key !== "waiting_bank";
}

export const GROUPINGS = [
  { value: "union", label: "按下级工会" },
  { value: "branch", label: "按发卡支行" },
  { value: "channel", label: "按办理通道" },
  { value: "kind", label: "按工会类别" },
  { value: "month", label: "按月份" },
] as const;

/** `1,234`, `56.7%`, `12 天`; a dash where it does not apply. */
export function shown(key: FigureKey, figures: Figures): string {
  const value = figures[key];
  if (value === null) return NOTHING;
  if (key === "card_rate") return `${(value * 100).toFixed(1)}%`;
  return isDays(key) ? `${value} 天` : count(value);
}

/** The change against the period before: `+12.3%`, `-1.5 个百分点`, `+2 天`; nothing where it cannot be told. */
export function change(key: FigureKey, current: Figures, previous: Figures): string | undefined {
  const [now, before] = [current[key], previous[key]];
  if (now === null || before === null) return undefined;
  if (key === "card_rate") return `${signed((now - before) * 100, 1)} 个百分点`;
  if (isDays(key)) return `${signed(now - before, 0)} 天`;
  return before === 0 ? undefined : `${signed(((now - before) / before) * 100, 1)}%`;
}

function isDays(key: FigureKey): boolean {
  return key === "median_days" || key === "p90_days";
}

function signed(number: number, digits: number): string {
  const text = number.toFixed(digits);
  return Number(text) > 0 ? `+${text}` : text.replace(/^-(0(?:\.0+)?)$/, "$1");
}
