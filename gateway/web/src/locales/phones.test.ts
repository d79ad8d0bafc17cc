// Tests of telephone numbers.
import { describe, expect, it } from "vitest";
import { isMobile, isPhone } from "@/locales/phones";

describe("a telephone number is known", () => {
  it.each([
    "13812345678",
    "138 1234 5678",
    "+86 138-1234-5678",
    "008613812345678",
    "13812345678.0",
    "１３８１２３４５６７８",
    "\u202d13812345678\u202c",
  ])("as a mobile one however it is pasted: %s", (number) => {
    expect([isMobile(number), isPhone(number)]).toEqual([true, true]);
  });

  it.each(["021-12345678", "（021）12345678", "12345678", "+86 21 1234 5678", "021-12345678-123", "021-12345678转123"])(
    "as a fixed line: %s",
    (number) => {
      expect([isMobile(number), isPhone(number)]).toEqual([false, true]);
    },
  );

  it.each(["", "1381234567", "12812345678", "电话", "861381234567"])("but not %s", (number) => {
    expect([isMobile(number), isPhone(number)]).toEqual([false, false]);
  });
});
