// @vitest-environment happy-dom
// Tests of the table of subordinate unions: order, pages, and where its figures lead.
import { mount, RouterLinkStub } from "@vue/test-utils";
import { expect, it } from "vitest";
import type { Summary } from "@/api/types";
import UnionTable from "@/console/workbench/UnionTable.vue";

const members = Array.from({ length: 25 }, (_, place) => ({
  union: { union_id: `u-${place}`, name: `第${place}工会`, kind: place ? "grassroots" : "district" },
  by_card_state: { none: 1000 + ((place * 7) % 25), pending: 0, submitted: 0, issued: 0 },
})) as unknown as Summary["members"]["by_union"];

const stubs = { ElSelect: true, ElPagination: true, RouterLink: RouterLinkStub };
const mountTable = () => mount(UnionTable, { props: { members, batches: [] }, global: { stubs } });

it("shows twenty unions a page, in the order of the column that is pressed", async () => {
  const table = mountTable();
  const names = () => table.findAll("tbody tr").map((row) => row.find("td").text());
  expect(names()).toHaveLength(20);
  expect(table.find("tbody tr").text()).toContain("1,000");

  const head = table.findAll("th button").find((button) => button.text() === "未办卡")!;
  await head.trigger("click");
  await head.trigger("click");

  expect(table.find("tbody tr").text()).toContain("1,024");
  expect(table.text()).toContain("共 25 条");
});

it("leads by a union's name to what is below it or to its members, and by a figure to the list that it counts", () => {
  const leads = mountTable()
    .findAllComponents(RouterLinkStub)
    .map((link) => link.props("to") as unknown);

  expect(leads.slice(0, 4)).toEqual([
    { path: "/", query: { union_id: "u-0" } },
    { path: "/members", query: { union_id: "u-0", card_state: "none" } },
    { path: "/members", query: { union_id: "u-1" } },
    { path: "/members", query: { union_id: "u-1", card_state: "none" } },
  ]);
});
