// @vitest-environment happy-dom
// Tests of the page of enrolments: what it asks for, exports and says, and the details of a row that is not in the list.
import { mount, type VueWrapper } from "@vue/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createMemoryHistory, createRouter } from "vue-router";
import { routes } from "@/console/enrolments/routes";
import EnrolmentsPage from "@/console/enrolments/EnrolmentsPage.vue";
import { thisYear } from "@/console/enrolments/search";
import { session } from "@/console/session";
import { fakeApi, signIn } from "@/testing/fakeApi";
import { press, settle } from "@/testing/fields";

const ROW = {
  ...{ enrolment_no: "JS2026-00000017", year: 2026, way: "immediate", kinds: ["hospital"], status: "covered", reason: null },
  ...{ covers_from: "2026-11-26", covers_to: "2026-12-31", changed_at: "2026-11-25T01:00:00Z", card_status: "active" },
  ...{ member_id: "m-1", member_no: "0070000001", name: "王芳", left_because: "retired", union_id: "u", union_name: "工会" },
  ...{ document_type: "resident_id", document_number: "31010***********17" },
};
const union = { union_id: "u", name: "工会", code: "81", kind: "grassroots", superior_ids: [] };
let shown: VueWrapper | undefined;
let asked: URLSearchParams[] = [];

beforeEach(() => vi.stubGlobal("URL", Object.assign(URL, { createObjectURL: () => "blob:x", revokeObjectURL: () => undefined })));
afterEach(() => {
  shown?.unmount();
  session.end();
  asked = [];
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

async function opened(address: string, answer: object = { items: [ROW], total: 1, is_connected: true }) {
  const api = fakeApi({ "/api/v1/enrolments": { page: 1, size: 20, total_is_exact: true, ...answer } });
  const answered = fetch;
  vi.stubGlobal(
    "fetch",
    Object.assign(
      (request: Request) => {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname === "/api/v1/enrolments") asked.push(searchParams);
        return answered(request);
      },
      { isFake: true },
    ),
  );
  signIn({ roles: ["clerk"], union } as never);
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      ...routes,
      { path: "/", component: { render: () => null } },
      { path: "/members/:member_id", name: "member", component: { render: () => null } },
    ],
  });
  await router.push(address);
  shown = mount(EnrolmentsPage, { attachTo: document.body, global: { plugins: [router], stubs: { transition: true } } });
  await settle();
  await settle();
  return { api, text: () => document.body.textContent };
}

it("asks for this year, and says of who has left that the enrolment is the last", async () => {
  const { text } = await opened("/enrolments?way=immediate");
  expect(Object.fromEntries(asked[0]!)).toMatchObject({ year: String(thisYear()), way: "immediate" });
  expect(text()).toContain("已退休年末到期后不再续保");
});

it("exports what is shown", async () => {
  const { api } = await opened("/enrolments?year=all&kind=hospital&name=王");
  expect(asked[0]!.has("year")).toBe(false);
  press("导出");
  await settle();
  expect(api.commands.map(({ path, body }) => [path, body])).toEqual([["/api/v1/enrolments/export", { kind: "hospital", name: "王" }]]);
});

it("says where the mutual-aid society is not connected, and offers no export", async () => {
  const { text } = await opened("/enrolments", { items: [], total: 0, is_connected: false });
  expect(text()).toContain("尚未接入市职工保障互助会，暂无参保信息");
  press("导出");
  await settle();
  expect(shown!.find(".page-frame .acts button").attributes("disabled")).toBeDefined();
});

it("says what to do where a link leads to an enrolment that is not in the list", async () => {
  const { text } = await opened("/enrolments/JS2026-1");
  expect(text()).toContain("列表中没有这条参保信息");
});
