// @vitest-environment happy-dom
// Tests of 消息 on the phone: what is new, what is read by opening the page, and what is said where there is none.
import { mount } from "@vue/test-utils";
import { afterEach, expect, it, vi } from "vitest";
import MessagesPage from "@/phone/MessagesPage.vue";
import { fakeApi } from "@/testing/fakeApi";
import { settle } from "@/testing/fields";

const message = {
  message_id: "m-1",
  text: "您的会员服务卡已制好，请到工商银行杨浦支行领卡。",
  created_at: "2026-11-25T01:00:00Z",
  read: false,
};

async function shown(items: object[], total = items.length) {
  const api = fakeApi({ "/api/v1/personal/messages": { items, total, unread: 0, total_is_exact: true, page: 1, size: 20 } });
  const page = mount(MessagesPage);
  await settle();
  return { page, api };
}

afterEach(() => vi.unstubAllGlobals());

it("marks new messages, reads them up to the newest, and keeps their marks", async () => {
  const { page, api } = await shown([message, { ...message, message_id: "m-2", text: "您的办卡申请已提交。", read: true }]);
  const [first, second] = page.findAll("li");
  expect(first?.text()).toContain("新");
  expect(second?.text()).not.toContain("新");
  expect(api.commands.map(({ path, body }) => ({ path, body }))).toEqual([
    { path: "/api/v1/personal/messages/read", body: { up_to: "m-1" } },
  ]);
});

it("reads nothing where nothing is new", async () => {
  expect((await shown([{ ...message, read: true }])).api.commands).toEqual([]);
});

it("says that messages will come where there is none", async () => {
  expect((await shown([])).page.text()).toContain("暂无消息");
});

it("offers earlier messages while there are some", async () => {
  expect((await shown([message], 30)).page.text()).toContain("查看更早的消息");
  expect((await shown([message])).page.text()).not.toContain("查看更早的消息");
});
