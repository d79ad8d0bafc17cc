// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Outlet, Profile } from "@/api/types";
import ConfirmPage from "@/phone/ConfirmPage.vue";
import OutletPage from "@/phone/OutletPage.vue";
import ProfilePage from "@/phone/ProfilePage.vue";
import StartPage from "@/phone/StartPage.vue";
import { member } from "@/phone/member";
import { numberedCaptchas } from "@/testing/fakeApi";
import { press, settle } from "@/testing/fields";
import { closeForm, describeForm, openForm, stubBrowser, type FormCase } from "@/testing/forms";

const profile = {
  member_no: "M-1",
  name: "王芳",
  document_type: "resident_id",
  document_number: "31010****0021",
  document_issued: null,
  document_expiry: null,
  phone: "138****5678",
  address: null,
  card_state: "none",
  can_apply: true,
  reason: null,
} as unknown as Profile;
const outlet = {
  code: "cn-1",
  name: "古北路支行",
  district: "长宁区",
  address: "古北路 555 号",
  phone: "021-1",
  branch_code: "cn",
  counting: { month: "2026-12", last_day: "2026-12-20", notified_by: "2026-12-14" },
} as Outlet;
const consent = { title: "告知同意书", paragraphs: ["一"], version: "2026-1", in_force_from: "2026-01-01" };

const start = {
  page: StartPage,
  given: () => member.forget(),
  routes: { profile: "/profile", progress: "/progress" },
  reads: () => ({ "/api/v1/captchas": numberedCaptchas(), "/api/v1/personal/profile": profile }),
};

describeForm("signing in on the phone", {
  ...start,
  act: "登录",
  refuses: { 手机号: "请输入 11 位手机号", 验证码: "请输入短信中的 6 位验证码" },
  fills: { 手机号: "13812345678", 验证码: "123456" },
  sends: { method: "POST", path: "/api/v1/personal/sessions", body: { phone: "13812345678", code: "123456" } },
  answer: {},
  problemAt: ["code", "验证码"],
  leadsTo: "/profile",
  does: () => expect(member.profile.value?.member_no).toBe("M-1"),
});

const askingForACode: FormCase = {
  ...start,
  act: "获取验证码",
  refuses: { 手机号: "请输入 11 位手机号", 图形码: "请输入图中的字符" },
  fills: { 手机号: "13812345678", 图形码: "k7m2" },
  sends: {
    method: "POST",
    path: "/api/v1/personal/otp",
    body: { phone: "13812345678", captcha_id: "c-1", captcha_answer: "k7m2", proof_of_work: "solved" },
  },
  answer: {},
  problemAt: ["captcha_answer", "图形码"],
  does: (open) => {
    expect(open.timesShown("如果 13812345678 是会员预留的手机号，验证码已发送")).toBe(1);
    expect(open.timesShown("60 秒后可重发")).toBe(1);
    expect(() => open.valuesOf({ 图形码: "" })).toThrow("no field");
  },
};

describeForm("asking for a code on the phone", askingForACode);

describe("the phone's first page", () => {
  beforeEach(stubBrowser);
  afterEach(async () => {
    vi.useRealTimers();
    await closeForm();
  });

  it("takes another captcha after a problem, and shows none of the problem of the one button after the other", async () => {
    const open = await openForm(start);
    open.api.refuseAs("captcha_wrong", "验证码不正确", { field: "captcha_answer", reason: "验证码不正确" });
    open.api.refuseAs("otp_wrong", "验证码不正确或已失效");
    await open.fill(askingForACode.fills);
    press("获取验证码");
    await settle();
    expect(open.reasons()).toEqual({ 图形码: "验证码不正确" });
    expect(open.valuesOf({ 图形码: "" })).toEqual({ 图形码: "" });

    await open.fill({ 验证码: "123456" });
    press("登录");
    await settle();

    expect(open.reasons()).toEqual({});
    expect(open.timesShown("验证码不正确")).toBe(1);
    expect(open.timesShown("验证码不正确或已失效")).toBe(1);
  });

  it("goes on with what was sent, whatever is pressed or typed meanwhile", async () => {
    const open = await openForm(start);
    open.api.answer({});
    await open.fill(askingForACode.fills);
    press("获取验证码");
    press("登录");
    void open.fill({ 手机号: "13912345678" });
    await settle();

    expect(open.api.commands.map(({ path }) => path)).toEqual(["/api/v1/personal/otp"]);
    expect(open.timesShown("如果 13812345678 是会员预留的手机号")).toBe(1);
    expect(open.address()).toBe("/");
  });

  it("waits where a code was asked for too soon, and then takes another captcha", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const open = await openForm(start);
    open.api.refuseAs("otp_too_soon", "验证码发送过于频繁");
    open.api.answer({});
    await open.fill(askingForACode.fills);
    press("获取验证码");
    await settle();
    expect(open.timesShown("60 秒后可重发")).toBe(1);

    vi.advanceTimersByTime(60_000);
    await settle();
    expect(open.reasons()).toEqual({});
    await open.fill({ 图形码: "p3x9" });
    press("获取验证码");
    await settle();

    expect(open.api.commands.slice(-1)[0]?.body).toMatchObject({ captcha_id: "c-2", captcha_answer: "p3x9" });
  });
});

const checkBox = () => document.querySelector<HTMLInputElement>(".checked input, .agree input")!.click();

describeForm("completing one's data", {
  page: ProfilePage,
  given: () => member.keep(profile),
  routes: { outlet: "/outlet", messages: "/messages", enrolments: "/enrolments" },
  act: "下一步：选择网点",
  refuses: { 证件到期日: "请填写证件到期日", 联系地址: "请填写联系地址", "": "请核对信息后勾选" },
  fills: { 证件到期日: "2040-01-02", 联系地址: " 古北路 555 弄 8 号 " },
  alsoDoes: checkBox,
  sends: {
    method: "PATCH",
    path: "/api/v1/personal/profile",
    body: { document_expiry: "2040-01-02", address: "古北路 555 弄 8 号" },
    isUnderKey: true,
  },
  answer: { ...profile, address: "古北路 555 弄 8 号" },
  problemAt: ["address", "联系地址"],
  leadsTo: "/outlet",
  does: () => expect(member.profile.value?.address).toBe("古北路 555 弄 8 号"),
});

describe("choosing an outlet", () => {
  const page = {
    page: OutletPage,
    given: () => member.forget(),
    routes: { confirm: "/confirm" },
    reads: () => ({ "/api/v1/outlets": { items: [outlet], total: 1 } }),
  };
  afterEach(closeForm);

  it("tells that none is chosen, and goes to the first", async () => {
    const open = await openForm(page);
    press("下一步：同意并确认");
    await settle();

    expect(open.reasons()).toEqual({ "": "请选择一个经办网点" });
    expect(document.activeElement?.getAttribute("name")).toBe("outlet");
    expect(open.address()).toBe("/");
  });

  it("goes on with the one that is chosen, and sends nothing", async () => {
    const open = await openForm(page);
    document.querySelector<HTMLInputElement>("[name=outlet]")!.click();
    press("下一步：同意并确认");
    await settle();

    expect(member.outlet.value?.code).toBe("cn-1");
    expect(open.address()).toBe("/confirm");
    expect(open.api.commands).toEqual([]);
  });
});

const confirming: FormCase = {
  page: ConfirmPage,
  given: () => {
    member.keep(profile);
    member.choose(outlet);
  },
  routes: { progress: "/progress" },
  reads: () => ({ "/api/v1/consent-text": consent, "/api/v1/personal/profile": { ...profile, card_state: "pending" } }),
  act: "确认提交",
  refuses: { "": "请阅读并勾选同意后再提交" },
  fills: {},
  alsoDoes: checkBox,
  sends: {
    method: "POST",
    path: "/api/v1/personal/applications",
    body: { outlet_code: "cn-1", consent_version: "2026-1" },
    isUnderKey: true,
  },
  answer: { application_id: "a-1" },
  leadsTo: "/progress",
  does: () => expect(member.profile.value?.card_state).toBe("pending"),
};

describe("confirming the application", () => {
  afterEach(closeForm);

  it("shows the progress of one that was made before", async () => {
    const open = await openForm(confirming);
    open.api.refuseAs("application_live", "已有申请");
    checkBox();
    press("确认提交");
    await settle();

    expect(open.address()).toBe("/progress");
  });

  it("asks to agree again where the text is another one by now", async () => {
    const texts = [consent, { ...consent, version: "2026-2" }];
    const open = await openForm({ ...confirming, reads: () => ({ "/api/v1/consent-text": () => texts.shift() }) });
    open.api.refuseAs("consent_outdated", "告知同意书已更新", { field: "consent_version", reason: "告知同意书已更新" });
    open.api.answer({});
    checkBox();
    press("确认提交");
    await settle();
    expect(open.timesShown("告知同意书已更新")).toBe(1);
    expect(open.reasons()).toEqual({});

    press("确认提交");
    await settle();
    expect(open.reasons()).toEqual({ "": "请阅读并勾选同意后再提交" });
    checkBox();
    press("确认提交");
    await settle();
    expect(open.api.commands.slice(-1)[0]?.body).toMatchObject({ consent_version: "2026-2" });
  });
});

describeForm("confirming the application", confirming);
