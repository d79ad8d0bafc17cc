// Validates telephone numbers as the API does: pasted with spaces, +86 or in full width.
const MOBILE = /^1[3-9][0-9]{9}$/;
const FIXED_LINE = /^(0[0-9]{2,3}-?)?[0-9]{7,8}(-[0-9]{1,6})?$/;

/** A mobile number of China's mainland. */
export const isMobile = (number: string): boolean => MOBILE.test(withoutCountry(dialled(number)).replace(/-/g, ""));

/** A mobile or fixed-line number, with or without area code and extension. */
export function isPhone(number: string): boolean {
  const given = dialled(number);
  const local = withoutCountry(given);
  return isMobile(number) || FIXED_LINE.test(local === given || local.startsWith("0") ? local : `0${local}`);
}

const dialled = (number: string): string =>
  number
    .normalize("NFKC")
    .replace(/[\s\p{Cf}\p{Cc}]/gu, "")
    .replace(/[‐-―−ー一]/g, "-")
    .replace(/([0-9]{11})[.]0$/, "$1")
    .replace(/[.()'’‘`]/g, "")
    .replace(/-*(?:转|分机号?|ext|[#*])-*/gi, "-")
    .replace(/^-+|-+$/g, "");

const withoutCountry = (number: string): string => number.replace(/^(?:\+|00)86-?|^86-?(?=1[3-9][0-9-]{9,}$)/, "");
