// Tests of what a filter's value must be.
import { describe, expect, it } from "vitest";
import { partOfDocument } from "@/composables/filters";

describe("a document number to search by", () => {
  it.each([
    "",
    "310115196501150016",
    "31010119750308002x",
    " 310101 197503 08002X",
    "E12345678",
    "H1234567801",
    "12345678",
    "军字第2001988号",
  ])("may be whole: %s", (number) => expect(partOfDocument(number, true)).toBe(""));

  it.each(
    ["0016", "3101151965", "31011", "31011***********16", "19650115001"].filter((number) => ![8, 10, 11, 12].includes(number.length)),
  )("is a part, which says what is needed: %s", (number) => {
    expect(partOfDocument(number, true)).toBe("请填写完整的证件号码（居民身份证 18 位）；只知道末尾的，请填后四位");
    expect(partOfDocument(number, false)).toContain("或按姓名查找");
  });
});
