// @vitest-environment happy-dom
// Tests of 我的参保 on the phone: what each enrolment says, and what is said where there is none.
import { mount } from "@vue/test-utils";
import { afterEach, expect, it, vi } from "vitest";
import EnrolmentsPage from "@/phone/EnrolmentsPage.vue";
import { fakeApi } from "@/testing/fakeApi";
import { settle } from "@/testing/fields";

const cover = {
  ...{ enrolment_no: "JS2026-00000017", year: 2026, way: "immediate", kinds: ["hospital", "death"], status: "covered", reason: null },
  ...{ covers_from: "2026-11-26", covers_to: "2026-12-31", changed_at: "2026-11-25T01:00:00Z" },
};

async function shown(items: object[]): Promise<string> {
  fakeApi({ "/api/v1/personal/enrolments": { items } });
  const page = mount(EnrolmentsPage);
  await settle();
  return page.text();
}

afterEach(() => vi.unstubAllGlobals());

it("says of each enrolment how, for which days and against what one is insured", async () => {
  const text = await shown([cover, { ...cover, enrolment_no: "JZ2025-1", year: 2025, status: "ended", reason: "会员退会" }]);
  for (const word of ["2026 年度", "保障中", "即时参保", "2026-11-26 至 2026-12-31", "住院保障、身故保障"]) expect(text).toContain(word);
  for (const word of ["2025 年度", "已终止", "终止原因", "会员退会"]) expect(text).toContain(word);
});

it("says to a member who is not insured when that comes", async () => {
  expect(await shown([])).toContain("暂无参保信息。办卡成功后由工会为您参保。");
});
