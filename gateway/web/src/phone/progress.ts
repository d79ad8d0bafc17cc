// The steps of an application as texts for the member, and those still to come.
import type { CardStep, PersonalApplication, PersonalProgress, Profile } from "@/api/types";
import { CARD_STEPS, type Tone } from "@/locales/terms";

type State = PersonalApplication["state"];
type BankProgress = PersonalProgress["bank_progress"];

export interface ShownStep {
  title: string;
  kind: "done" | "now" | "failed" | "to-come";
  at?: string;
  note?: string | null;
}

const TITLES: Record<State, string> = {
  queued: "已提交申请",
  submitted: "校验通过，已送银行办理",
  issued: "办卡成功",
  refused: "银行退回",
  removed: "申请未通过",
  released: "申请已撤销",
};
const HEADLINES: Record<State, { title: string; advice: string; tone: Tone }> = {
  queued: { title: "系统校验中", advice: "正在核验身份和退休状态，请稍候，页面会自动更新。", tone: "busy" },
  submitted: { title: "银行办理中", advice: "银行一般在 10 个工作日内短信通知，请留意短信。", tone: "busy" },
  issued: { title: "办卡成功", advice: "请携带本人身份证原件到经办网点领卡。", tone: "good" },
  refused: { title: "银行退回", advice: "请查看退回原因，更正信息后可重新申请。", tone: "bad" },
  removed: { title: "申请未通过", advice: "请查看原因，更正信息后可重新申请，或联系所在工会。", tone: "bad" },
  released: { title: "申请已撤销", advice: "可重新申请办卡。", tone: "plain" },
};
const BANK_STEPS = [
  { progress: "accepted", title: "银行受理", done: "银行已受理" },
  { progress: "made", title: "银行制卡", done: "银行已制卡" },
] as const;
const FAILED: readonly State[] = ["refused", "removed", "released"];

const OF_CARD: Record<NonNullable<Profile["card_status"]>, { title: string; advice: string; tone: Tone }> = {
  made: HEADLINES.issued,
  collected: { title: "已领卡", advice: "请按银行提示激活卡片。", tone: "good" },
  active: { title: "卡已激活", advice: "卡片可以正常使用。遗失请立即致电或前往发卡银行挂失。", tone: "good" },
  lost: { title: "卡已挂失", advice: "请携带本人身份证原件到发卡银行网点补卡。", tone: "bad" },
  closed: { title: "卡已销卡", advice: "如需咨询请联系所在工会。", tone: "plain" },
};

/** The note of an application that the member has cancelled. */
const CANCELLED = "本人取消申请并撤回同意";
const OF_CANCELLED = { title: "申请已取消", advice: "您已撤回同意。以后可重新申请办卡。", tone: "plain" as Tone };

/** What the member has to do now, by the application, and by the card once it is issued. */
export function headline({ state, steps }: Pick<PersonalApplication, "state" | "steps">, card: Profile["card_status"] = null) {
  if (state === "removed" && steps[steps.length - 1]?.note === CANCELLED) return OF_CANCELLED;
  return state === "issued" && card ? OF_CARD[card] : HEADLINES[state];
}

/** The steps taken, oldest first, then those to come; `bank` is how far the bank is while it has not decided. */
export function timeline(application: PersonalApplication, bank: BankProgress, card: readonly CardStep[] = []): ShownStep[] {
  const last = application.steps.length - 1;
  const taken = application.steps.map(({ state, at, note }, place): ShownStep => ({
    title: note === CANCELLED ? OF_CANCELLED.title : TITLES[state],
    kind: place < last ? "done" : kindOfLast(state),
    at,
    note,
  }));
  const ofCard = application.state === "issued" ? [...card].reverse() : [];
  return [
    ...taken,
    ...ofCard.map(({ step, happened_at }): ShownStep => ({ title: CARD_STEPS[step], kind: "done", at: happened_at })),
    ...toCome(application.state, bank),
  ];
}

function toCome(state: State, bank: BankProgress): ShownStep[] {
  if (state !== "queued" && state !== "submitted") return [];
  const reached = BANK_STEPS.findIndex(({ progress }) => progress === bank);
  const bankSteps = BANK_STEPS.map(({ title, done }, place): ShownStep =>
    place <= reached ? { title: done, kind: "done" } : { title, kind: "to-come" },
  );
  return [...bankSteps, { title: "凭身份证原件领卡", kind: "to-come" }];
}

function kindOfLast(state: State): ShownStep["kind"] {
  if (FAILED.includes(state)) return "failed";
  return state === "issued" ? "done" : "now";
}
