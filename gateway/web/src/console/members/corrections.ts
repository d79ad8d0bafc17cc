// A clerk's corrections of a member as text: `证件到期日：2030-01-31 → 长期`.
import type { Member } from "@/api/types";
import { expiry, NOTHING } from "@/locales/format";
import { nationality } from "@/locales/nationalities";
import { DOCUMENT_TYPES, RETIREMENT_CATEGORIES, SEXES } from "@/locales/terms";

type Change = Member["corrections"][number]["changes"][number];

const FIELDS: Record<string, { title: string; inWords?: (value: string) => string }> = {
  document_type: { title: "证件类型", inWords: (value) => DOCUMENT_TYPES[value as keyof typeof DOCUMENT_TYPES] ?? value },
  document_number: { title: "证件号码" },
  document_expiry: { title: "证件到期日", inWords: expiry },
  nationality: { title: "国籍", inWords: nationality },
  name: { title: "姓名" },
  phone: { title: "手机号" },
  retirement_category: {
    title: "退休类别",
    inWords: (value) => RETIREMENT_CATEGORIES[value as keyof typeof RETIREMENT_CATEGORIES] ?? value,
  },
  special_retirement_month: { title: "特殊工种退休年月", inWords: (value) => value.slice(0, 7) },
  birth_date: { title: "出生日期" },
  sex: { title: "性别", inWords: (value) => SEXES[value as keyof typeof SEXES] ?? value },
};

export function changeInWords({ field, old, new: now }: Change): string {
  const { title, inWords } = FIELDS[field] ?? { title: field, inWords: undefined };
  const shown = (value: string | null) => (value === null ? NOTHING : (inWords?.(value) ?? value));
  return `${title}：${shown(old)} → ${shown(now)}`;
}
