// Validates document numbers while typing, by the same rules as the server; documents.examples.json tests both.
import { DOCUMENT_TYPES } from "@/locales/terms";

export type DocumentType = keyof typeof DOCUMENT_TYPES;

export interface DocumentFacts {
  birthDate?: string;
  sex?: "male" | "female";
}

export interface DocumentFinding {
  code: string;
  message: string;
}

const PROVINCES = new Set(
  [
    [11, 15],
    [21, 23],
    [31, 37],
    [41, 46],
    [50, 54],
    [61, 65],
    [71, 71],
  ].flatMap(([first, last]) => Array.from({ length: last! - first! + 1 }, (_, step) => String(first! + step))),
);
const HMT_REGIONS = new Set(["810000", "820000", "830000"]);
const CITIZEN_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CITIZEN_CHECKS = "10X98765432";
const YOUNGEST_MEMBER = 16;
const FOREIGN_FORM = "外国人永久居留身份证号码应为18位（9开头，末位为数字或X），旧版为3位字母加12位数字";
const EARLIEST_BIRTH = "1900-01-01";

/** The number as the server keeps it: NFKC, upper case, an X for what looks like one at its end, without spaces,
 * invisible characters, and the apostrophe that marks text in a sheet. */
export function normaliseDocumentNumber(number: string): string {
  return number
    .normalize("NFKC")
    .replace(/[\s\p{Cf}\p{Cc}]/gu, "")
    .replace(/^['’‘`]+/, "")
    .toUpperCase()
    .normalize("NFKC")
    .replace(/\s/gu, "")
    .replace(/([0-9]{17})[\u00d7\u2715\u2716\u0425\u03a7]$/, "$1X");
}

/** The finding on a number, and the facts that a valid one contains. `today` is a day: `2026-11-25`. */
export function readDocumentNumber(type: DocumentType, given: string, today: string): { finding?: DocumentFinding; facts: DocumentFacts } {
  const number = normaliseDocumentNumber(given);
  try {
    return { facts: READERS[type](number, today) };
  } catch (error) {
    if (error instanceof Wrong) return { finding: error.finding, facts: {} };
    throw error;
  }
}

class Wrong extends Error {
  constructor(readonly finding: DocumentFinding) {
    super(finding.code);
  }
}

const READERS: Record<DocumentType, (number: string, today: string) => DocumentFacts> = {
  resident_id(number, today) {
    requireForm(/^[0-9]{17}[0-9X]$/, number, "居民身份证号码应为18位：17位数字和1位校验码（数字或X）");
    if (HMT_REGIONS.has(number.slice(0, 6))) throw ofAnotherDocument("hmt_residence_permit");
    if (number[0] === "9") throw ofAnotherDocument("foreign_permanent_resident_id");
    return citizen(number, number.slice(0, 2), today);
  },
  hmt_residence_permit(number, today) {
    requireForm(/^[0-9]{17}[0-9X]$/, number, "港澳台居民居住证号码应为18位：17位数字和1位校验码（数字或X）");
    if (!HMT_REGIONS.has(number.slice(0, 6))) {
      throw wrong("region_unknown", "港澳台居民居住证号码应以810000、820000或830000开头，请核对证件类型和证件号码");
    }
    return citizen(number, undefined, today);
  },
  foreign_permanent_resident_id(number, today) {
    if (number[0] === "9") {
      requireForm(/^[0-9]{17}[0-9X]$/, number, FOREIGN_FORM);
      return { birthDate: citizen(number, number.slice(1, 3), today).birthDate };
    }
    return oldForeigner(number, today);
  },
  mainland_travel_permit_hm(number) {
    requireForm(/^[HM][0-9]{8}(?:[0-9]{2})?$/, number, "港澳居民来往内地通行证号码应为H或M加8位数字（旧证后加2位换证次数）");
    return {};
  },
  mainland_travel_permit_tw(number) {
    requireForm(/^(?:[0-9]{8}|[0-9A-Z]{10,12})$/, number, "台湾居民来往大陆通行证号码应为8位数字（旧证和一次有效证件为10至12位）");
    return {};
  },
  passport(number) {
    requireForm(/^[0-9A-Z]{5,17}$/, number, "护照号码应为5至17位字母和数字");
    return {};
  },
  military_officer_id(number) {
    requireForm(/^[一-龥]字第[0-9A-Z]{4,8}号?$/, number, "军官证号码应如“军字第1234567号”");
    return {};
  },
};

function citizen(number: string, province: string | undefined, today: string): DocumentFacts {
  if (province !== undefined) requireProvince(province);
  const birthDate = birthDateOf(number.slice(6, 14), today);
  const total = CITIZEN_WEIGHTS.reduce((sum, weight, place) => sum + weight * Number(number[place]), 0);
  requireCheck(number, CITIZEN_CHECKS[total % 11]!);
  return { birthDate, sex: Number(number[16]) % 2 ? "male" : "female" };
}

function oldForeigner(number: string, today: string): DocumentFacts {
  requireForm(/^[A-Z]{3}[0-9]{12}$/, number, FOREIGN_FORM);
  requireProvince(number.slice(3, 5));
  const year = Number(number.slice(7, 9));
  const century = 2000 + year <= Number(today.slice(0, 4)) - YOUNGEST_MEMBER ? "20" : "19";
  const birthDate = birthDateOf(century + number.slice(7, 13), today);
  const total = [...number.slice(0, 14)].reduce((sum, sign, place) => sum + [7, 3, 1][place % 3]! * parseInt(sign, 36), 0);
  requireCheck(number, String(total % 10));
  return { birthDate };
}

function requireForm(form: RegExp, number: string, expected: string): void {
  if (!form.test(number)) {
    throw new Wrong({ code: "number_form", message: `${expected}，请核对证件类型和证件号码` });
  }
}

function requireProvince(province: string): void {
  if (!PROVINCES.has(province)) {
    throw wrong("province_unknown", `证件号码中的省级代码“${province}”不存在，请核对证件原件后修改`);
  }
}

function birthDateOf(digits: string, today: string): string {
  const day = `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`;
  const isDate = !Number.isNaN(Date.parse(day)) && new Date(day).toISOString().startsWith(day);
  if (!isDate || day < EARLIEST_BIRTH || day > today) {
    throw wrong("birth_date_invalid", `证件号码中的出生日期“${digits}”不正确，请核对证件原件后修改`);
  }
  return day;
}

function requireCheck(number: string, expected: string): void {
  if (number.slice(-1) !== expected) throw wrong("check_digit_wrong", "证件号码校验码不正确，请核对证件原件后修改");
}

function ofAnotherDocument(type: DocumentType): Wrong {
  return wrong("other_document_type", `该号码是${DOCUMENT_TYPES[type]}号码，请核对证件类型`);
}

function wrong(code: string, message: string): Wrong {
  return new Wrong({ code, message });
}
