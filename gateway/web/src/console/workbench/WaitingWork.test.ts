// @vitest-environment happy-dom
// Tests of what waits for an account, with the lists that the links lead to.
import { mount, RouterLinkStub } from "@vue/test-utils";
import { afterEach, expect, it, vi } from "vitest";
import WaitingWork from "@/console/workbench/WaitingWork.vue";
import { session } from "@/console/session";
import { fakeApi, signIn } from "@/testing/fakeApi";
import { settle } from "@/testing/fields";

const union = { union_id: "u-1", name: "上海建朗信息科技有限公司工会", code: "81", superior_union_id: null, superior_ids: [] };
const some = (total: number) => ({ items: [{}], page: 1, size: 1, total, total_is_exact: true });

afterEach(() => {
  session.end();
  vi.unstubAllGlobals();
});

it("leads a clerk to cards that nobody collects and to transfers to decide on", async () => {
  const nobody = { total: 0, unchecked: 0, failed: 0, passed: 0, overdue: 0, incomplete: 0 };
  fakeApi({
    "/api/v1/pending": { items: [], total: 0, counts: { ordinary: nobody, special: nobody } },
    "/api/v1/cards": some(2),
    "/api/v1/transfers": some(1),
  });
  signIn({ roles: ["clerk"], union: { ...union, kind: "grassroots" } });
  const shown = mount(WaitingWork, { global: { stubs: { RouterLink: RouterLinkStub } } });
  await settle();

  const links = shown.findAllComponents(RouterLinkStub).map((link) => [link.text(), link.props("to")]);
  expect(links).toContainEqual(["超期未领的卡（工会发放）2", "/cards?overdue=true&handed_out_by=union"]);
  expect(links).toContainEqual(["待办理的转会申请1", "/transfers?state=requested&direction=out"]);
});
