// An enrolment 参保 in words: what it insures, for which days, and what becomes of a member who has left.
import type { Cover, Enrolment } from "@/api/types";
import { CARD_STATUSES, ENROLMENT_KINDS, LEAVING, SHORT_ENROLMENT_KINDS, type Term } from "@/locales/terms";

type Kind = keyof typeof ENROLMENT_KINDS;

/** `住院保障、身故保障`; in tables without the word 保障. */
export function kindsInWords({ kinds }: Pick<Cover, "kinds">, isShort = false): string {
  const terms: Record<string, string> = isShort ? SHORT_ENROLMENT_KINDS : ENROLMENT_KINDS;
  const known = Object.keys(ENROLMENT_KINDS) as Kind[];
  return [...kinds]
    .sort((one, other) => known.indexOf(one as Kind) - known.indexOf(other as Kind))
    .map((kind) => terms[kind] ?? kind)
    .join("、");
}

/** `2026-11-26 至 2026-12-31`; one that ended before its first day has none. */
export function periodOf({ covers_from, covers_to }: Pick<Cover, "covers_from" | "covers_to">): string {
  return covers_to < covers_from ? `未生效（原定 ${covers_from} 起）` : `${covers_from} 至 ${covers_to}`;
}

/** What keeps a member from being insured again: having left, or a card that is lost or closed. */
export function obstacles({ left_because, card_status }: Pick<Enrolment, "left_because" | "card_status">): Term[] {
  const left: Term[] = left_because ? [{ text: `已${LEAVING[left_because]}`, tone: "warn" }] : [];
  return card_status === "lost" || card_status === "closed" ? [...left, CARD_STATUSES[card_status]] : left;
}

/** Whether the enrolment of a member who has left still lasts to the year's end, and ends with it. */
export function isLastYear({ left_because, status }: Pick<Enrolment, "left_because" | "status">): boolean {
  return !!left_because && (status === "covered" || status === "upcoming");
}
