import { describe, expect, it } from "vitest";
import { callLink, districtIn, mapLink } from "@/phone/places";

describe("places", () => {
  it.each([
    ["上海市长宁区古北路555弄8号", "长宁区"],
    ["浦东大道9号", "浦东新区"],
    ["崇明县城桥镇", "崇明区"],
    ["北京市朝阳区", undefined],
    ["", undefined],
  ])("%s is in %s", (address, district) => expect(districtIn(address)).toBe(district));

  it("opens the map of the phone", () => {
    expect(mapLink("国华支行 闸殷路1555号", "Android")).toBe(`geo:0,0?q=${encodeURIComponent("国华支行 闸殷路1555号")}`);
    expect(mapLink("a&b", "iPhone")).toBe("maps:?q=a%26b");
  });

  it.each([
    ["021-65480101", "tel:02165480101"],
    ["021-12351-1", "tel:02112351,1"],
    ["65480101-1234", "tel:65480101,1234"],
    ["02165480101-1234", "tel:02165480101,1234"],
    ["+86 21 1234", "tel:+86211234"],
  ])("%s is called by %s", (phone, link) => expect(callLink(phone)).toBe(link));
});
