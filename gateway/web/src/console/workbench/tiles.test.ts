// @vitest-environment happy-dom
// Tests of the tiles of modules and of the figures.
import { mount, RouterLinkStub } from "@vue/test-utils";
import { afterEach, describe, expect, it, vi } from "vitest";
import CardFigures from "@/console/workbench/CardFigures.vue";
import ModuleTiles from "@/console/workbench/ModuleTiles.vue";
import type { Summary } from "@/api/types";
import { fakeApi, signIn } from "@/testing/fakeApi";
import { settle } from "@/testing/fields";

const stubs = { RouterLink: RouterLinkStub };

afterEach(() => vi.unstubAllGlobals());

describe("the tiles of modules", () => {
  it("leads to its own module, and to others only where the settings name an address", async () => {
    fakeApi({
      "/api/v1/modules": {
        items: [
          { title: "体检申请", url: "https://health.example.org/" },
          { title: "意见建议", url: null },
        ],
      },
    });
    signIn();
    const tiles = mount(ModuleTiles, { global: { stubs } });
    await settle();

    const own = tiles.findAllComponents(RouterLinkStub).find((link) => link.text() === "会员服务卡管理");
    expect(own?.props("to")).toBe("/members");
    expect(tiles.findAll("a[target=_blank]").map((link) => link.attributes("href"))).toEqual(["https://health.example.org/"]);
    expect(tiles.text()).toContain("意见建议未接入");
  });
});

describe("the figures", () => {
  it("begins with all members, 会员证数", () => {
    const summary = { members: { by_card_state: { none: 1, pending: 2, submitted: 3, issued: 1200 } }, batches: { awaiting_bank: 3 } };
    const figures = mount(CardFigures, { props: { summary: summary as unknown as Summary, unionId: "u-1" }, global: { stubs } });
    expect(figures.findAll("li")[0]!.text()).toBe("会员证数1,206");
    expect(figures.findComponent(RouterLinkStub).props("to")).toEqual({ path: "/members", query: { union_id: "u-1" } });
  });
});
