// What a member has to complete before applying.
export const LONG_TERM = "9999-12-31";

export interface Completed {
  document_issued: string;
  document_expiry: string;
  address: string;
}

/** The reason for each field that is not right yet; empty where it is. `today` is a day: `2026-11-25`. */
export function whatIsWrong(given: Completed, today: string): Record<keyof Completed, string> {
  return {
    document_issued: halfChosen(given.document_issued) || (given.document_issued > today ? "签发日不能晚于今天" : ""),
    document_expiry: expiryProblem(given.document_expiry, today),
    address: given.address.trim() ? "" : "请填写联系地址",
  };
}

const halfChosen = (day: string): string => (!day || /^\d{4}-\d{2}-\d{2}$/.test(day) ? "" : "请选完整的年、月、日");

function expiryProblem(expiry: string, today: string): string {
  if (!expiry) return "请填写证件到期日";
  if (halfChosen(expiry)) return halfChosen(expiry);
  return expiry < today ? "证件已到期，请换领新证后再申请" : "";
}
