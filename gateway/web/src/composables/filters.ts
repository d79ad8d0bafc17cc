// What a filter's value must be for a search: those that search while one types, and numbers that are only found whole.
import { isMobile } from "@/locales/phones";

const END_LENGTH = 4;
/** Lengths of document numbers that consist of digits; a person's other numbers begin with letters. */
const WHOLE_DIGITS = [8, 10, 11, 12, 18];

export const isTyped = (value: string): boolean => value.length > 0;
export const isWholeMobile = (value: string): boolean => isMobile(value);
export const isEndOfDocument = (value: string): boolean => value.length === END_LENGTH;
export const isEndOfBatch = (value: string): boolean => value.length >= END_LENGTH;

/** Why a document number finds nobody: it is a part of one. */
export function partOfDocument(number: string, isFoundByEnd: boolean): string {
  const digits = number.replace(/\s/g, "");
  const isWhole = digits === "" || /[^0-9Xx*]/.test(digits) || WHOLE_DIGITS.includes(digits.length);
  if (isWhole && !digits.includes("*")) return "";
  const other = isFoundByEnd ? "；只知道末尾的，请填后四位" : "，或按姓名查找";
  return `请填写完整的证件号码（居民身份证 18 位）${other}`;
}
