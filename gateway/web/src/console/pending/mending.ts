// What is mended of a person whose check failed: which fields a finding is about, and what is sent.
import type { Changes, Pending } from "@/api/types";
import { readDocumentNumber } from "@/locales/documents";
import { isMobile } from "@/locales/phones";
import { TELLING_TYPES } from "@/console/members/memberForm";

export type Mend = Changes<"/api/v1/pending/{application_id}">;
export interface MendForm {
  name: string;
  document_type: Pending["document_type"];
  document_number: string;
  document_expiry: string;
  nationality: string;
  birth_date: string;
  sex: string;
  phone: string;
  retirement_category: string;
  special_retirement_month: string;
}
export type MendField = keyof MendForm;

/** By the beginning of a finding's code; the first that fits counts. */
const ABOUT: readonly (readonly [code: RegExp, fields: readonly MendField[]])[] = [
  [/^name_/, ["name"]],
  [/^(expiry|expired|expires|validity)/, ["document_expiry"]],
  [/^(category|special_month|working_by|retired_by_calculation)/, ["retirement_category", "special_retirement_month"]],
  [/^nationality/, ["nationality", "document_type"]],
  [/^(birth_date_missing|birth_date_implausible|under_age)/, ["birth_date", "document_number"]],
  [/^(retired_by_registry|registry_not_answered)/, []],
  [/./, ["document_type", "document_number"]],
];

/** The fields to show first: those that errors are about, in the form's order. */
export function fieldsToMend(entry: Pending): MendField[] {
  const errors = entry.findings.filter(({ severity }) => severity === "error");
  const about = new Set(errors.flatMap(({ code }) => ABOUT.find(([begins]) => begins.test(code))![1]));
  if (entry.missing.includes("document_expiry")) about.add("document_expiry");
  if (entry.missing.includes("nationality")) about.add("nationality");
  return (Object.keys(formOf(entry)) as MendField[]).filter((field) => about.has(field));
}

/** Empty for what the list does not tell: it stays as it is. */
export function formOf(entry: Pending): MendForm {
  return {
    name: entry.name,
    document_type: entry.document_type,
    document_number: "",
    document_expiry: entry.document_expiry ?? "",
    nationality: entry.nationality ?? "",
    birth_date: "",
    sex: "",
    phone: "",
    retirement_category: "",
    special_retirement_month: "",
  };
}

/** Whether the number tells birth date and sex, which then cannot be changed alone. */
export const isToldByNumber = (type: Pending["document_type"]): boolean => TELLING_TYPES.includes(type);

/** Why fields are wrong, in Chinese. */
export function wrongMends(form: MendForm, entry: Pending, today: string): Partial<Record<MendField, string>> {
  const wrong: Partial<Record<MendField, string>> = {};
  const number = form.document_number.trim();
  if (!form.name.trim()) wrong.name = "请填写姓名";
  if (number) wrong.document_number = readDocumentNumber(form.document_type, number, today).finding?.message;
  else if (form.document_type !== entry.document_type) wrong.document_number = "证件类型有变，请填写完整的证件号码";
  if (form.document_expiry !== (entry.document_expiry ?? "") && form.document_expiry < today)
    wrong.document_expiry = form.document_expiry ? "证件已到期，请核对证件原件；已换领新证的，请填写新证的到期日" : "请填写证件到期日";
  if (form.birth_date && (form.birth_date > today || form.birth_date < "1900-01-01")) wrong.birth_date = "请核对出生日期";
  if (form.phone && !isMobile(form.phone.trim())) wrong.phone = "请填写 11 位手机号";
  return wrong;
}

/** What differs from what is known. */
export function mendsOf(form: MendForm, entry: Pending): Mend {
  const known = formOf(entry);
  const changed = (Object.keys(form) as MendField[]).filter((field) => (form[field] ?? "").trim() !== known[field] && form[field]);
  return Object.fromEntries(changed.map((field) => [field, form[field].trim()])) as Mend;
}
