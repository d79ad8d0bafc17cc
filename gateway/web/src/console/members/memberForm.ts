// The form of a member: validated while typing, converted to the form of the API.
import type { Member } from "@/api/types";
import { readDocumentNumber, type DocumentType } from "@/locales/documents";
import { isMobile } from "@/locales/phones";

export interface MemberForm {
  name: string;
  document_type: DocumentType;
  document_number: string;
  document_expiry: string;
  birth_date: string;
  sex: string;
  phone: string;
  retirement_category: string;
  affiliation: string;
  nationality: string;
  special_retirement_month: string;
  address: string;
}

type Fact = Exclude<keyof MemberForm, "document_type" | "document_number" | "name">;
const FACTS: readonly Fact[] = [
  "document_expiry",
  "birth_date",
  "sex",
  "phone",
  "retirement_category",
  "affiliation",
  "nationality",
  "special_retirement_month",
  "address",
];
/** They come masked or not at all, so an empty field means that nothing changes. */
const MASKED: readonly Fact[] = ["phone", "birth_date", "sex"];
const known = (member: Member, name: Fact): string =>
  (MASKED.includes(name) ? "" : (member as unknown as Record<string, string | null>)[name]) ?? "";

/** Kinds of documents whose numbers contain the birth date and the sex. */
export const TELLING_TYPES: readonly DocumentType[] = ["resident_id", "hmt_residence_permit"];

export function emptyForm(): MemberForm {
  return {
    name: "",
    document_type: "resident_id",
    document_number: "",
    document_expiry: "",
    birth_date: "",
    sex: "",
    phone: "",
    retirement_category: "",
    affiliation: "employer",
    nationality: "",
    special_retirement_month: "",
    address: "",
  };
}

export function formOf(member: Member): MemberForm {
  const facts = Object.fromEntries(FACTS.map((name) => [name, known(member, name)]));
  return { ...emptyForm(), ...facts, name: member.name, document_type: member.document_type };
}

/** Why fields are wrong, in Chinese. */
export function wrongFields(form: MemberForm, isChange: boolean, today: string): Partial<Record<keyof MemberForm, string>> {
  const wrong: Partial<Record<keyof MemberForm, string>> = {};
  if (!form.name.trim()) wrong.name = "请填写姓名";
  if (!form.document_number.trim()) {
    if (!isChange) wrong.document_number = "请填写证件号码";
  } else {
    const { finding } = readDocumentNumber(form.document_type, form.document_number, today);
    if (finding) wrong.document_number = finding.message;
  }
  if (form.document_expiry && form.document_expiry < today) wrong.document_expiry = "证件已到期，请核对证件到期日";
  if (form.birth_date && (form.birth_date > today || form.birth_date < "1900-01-01")) wrong.birth_date = "请核对出生日期";
  if (form.phone && !isMobile(form.phone)) wrong.phone = "请填写 11 位手机号";
  if (form.nationality && !/^[A-Z]{3}$/.test(form.nationality)) wrong.nationality = "请填写三位国籍代码，如 CHN";
  return wrong;
}

/** The body of the request: a new member's facts, or those that differ from `member`. */
export function changesOf(form: MemberForm, member?: Member): Record<string, string | null> {
  const body: Record<string, string | null> = {};
  if (form.name.trim() !== member?.name) body.name = form.name.trim();
  if (form.document_type !== member?.document_type) body.document_type = form.document_type;
  if (form.document_number.trim()) body.document_number = form.document_number.trim();
  for (const name of FACTS) {
    const value = (form[name] ?? "").trim();
    const isKept = member ? value === known(member, name) : !value;
    if (!isKept) body[name] = value || null;
  }
  return body;
}
