// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { session } from "@/console/session";
import PasswordPage from "@/console/signin/PasswordPage.vue";
import ResetPage from "@/console/signin/ResetPage.vue";
import SecondFactorEnrolment from "@/console/signin/SecondFactorEnrolment.vue";
import SecondFactorQuestion from "@/console/signin/SecondFactorQuestion.vue";
import SecondFactorRemoval from "@/console/signin/SecondFactorRemoval.vue";
import SignInPage from "@/console/signin/SignInPage.vue";
import { numberedCaptchas, signIn } from "@/testing/fakeApi";
import { eventually, press, settle } from "@/testing/fields";
import { closeForm, confirm, describeForm, openForm, stubBrowser, type FormCase } from "@/testing/forms";

const clerk = { account_name: "wangfang", display_name: "王芳", roles: ["clerk"], union: {}, next_step: null };
const signingIn: FormCase = {
  page: SignInPage,
  at: "/sign-in?back=/messages",
  reads: () => ({ "/api/v1/captchas": numberedCaptchas() }),
  act: "登录",
  refuses: { 账号: "请输入账号", 密码: "请输入密码", 验证码: "请输入验证码" },
  fills: { 账号: " wangfang ", 密码: " secret ", 验证码: "k7m2" },
  sends: {
    method: "POST",
    path: "/api/v1/sessions",
    body: { account_name: "wangfang", password: " secret ", captcha_id: "c-1", captcha_answer: "k7m2", proof_of_work: "solved" },
  },
  answer: clerk,
  problemAt: ["account_name", "账号"],
  leadsTo: "/messages",
  does: () => expect(session.account.value?.account_name).toBe("wangfang"),
};

describeForm("signing in", signingIn);

describe("the sign-in page", () => {
  beforeEach(() => {
    stubBrowser();
    signIn();
  });
  afterEach(closeForm);

  it("begins in its first field", async () => {
    const open = await openForm(signingIn);

    expect(open.focused()).toBe("账号");
  });

  it("takes another captcha after a problem, and asks for it in no second text", async () => {
    const open = await openForm(signingIn);
    open.api.refuse(401);
    open.api.answer(clerk);
    await open.fill(signingIn.fills);
    press("登录");
    await settle();

    expect(open.valuesOf({ 验证码: "" })).toEqual({ 验证码: "" });
    expect(open.reasons()).toEqual({});
    await open.fill({ 验证码: "p3x9" });
    press("登录");
    await settle();
    expect(open.api.commands.slice(-1)[0]?.body).toMatchObject({ captcha_id: "c-2", captcha_answer: "p3x9" });
  });

  it("tells of a wrong captcha at its field alone, with what to do, and goes there", async () => {
    const open = await openForm(signingIn);
    open.api.refuseAs("captcha_wrong", "验证码不正确", { field: "captcha_answer", reason: "验证码不正确" });
    await open.fill(signingIn.fills);
    press("登录");
    await settle();

    expect(open.reasons()).toEqual({ 验证码: "验证码不正确" });
    await eventually(() => expect(open.timesShown("验证码不正确")).toBe(1));
    expect(open.focused()).toBe("验证码");
  });

  it("says at the captcha why none could be taken", async () => {
    const taken = [numberedCaptchas()()];
    const open = await openForm({ ...signingIn, reads: () => ({ "/api/v1/captchas": () => taken.shift() }) });
    press("看不清，换一张验证码");
    await settle();

    expect(open.reasons()).toEqual({ 验证码: "暂时连接不上系统" });
  });
});

describeForm("changing one's password", {
  page: PasswordPage,
  at: "/password?back=/account",
  given: () => signIn({ account_name: "wangfang" }),
  reads: () => ({ "/api/v1/me": { ...clerk, account_name: "changed" } }),
  act: "确认修改",
  refuses: { 当前密码: "请输入当前密码", 新密码: "请输入新密码", 再次输入新密码: "请再次输入新密码" },
  fills: { 当前密码: "former-2025", 新密码: "another-2026", 再次输入新密码: "another-2026" },
  sends: { method: "POST", path: "/api/v1/me/password", body: { current_password: "former-2025", new_password: "another-2026" } },
  answer: {},
  problemAt: ["new_password", "新密码"],
  leadsTo: "/account",
  does: (open) => {
    expect(session.account.value?.account_name).toBe("changed");
    expect(open.timesShown("密码已修改")).toBe(1);
  },
});

describe("a new password", () => {
  beforeEach(() => signIn({ account_name: "wangfang" }));
  afterEach(closeForm);

  it.each([
    [{ 新密码: "short" }, "新密码", "密码应为 8 至 64 个字符"],
    [{ 新密码: "WangFang" }, "新密码", "密码不能与账号相同"],
    [{ 新密码: "another-2026", 再次输入新密码: "another-2025" }, "再次输入新密码", "两次输入的新密码不一致"],
  ])("that will not do is told of on leaving its field: %o", async (given, label, reason) => {
    const open = await openForm({ page: PasswordPage });
    await open.fill(given);
    expect(open.reasons()).toEqual({});

    await open.leave(label);

    expect(open.reasons()).toEqual({ [label]: reason });
  });

  it("is not asked for yet where its field is left empty", async () => {
    const open = await openForm({ page: PasswordPage });

    await open.leave("新密码");

    expect(open.reasons()).toEqual({});
  });
});

describeForm("choosing a password by a link", {
  page: ResetPage,
  given: () => (location.hash = "#t-1"),
  routes: { "sign-in": "/sign-in" },
  reads: () => ({ "/api/v1/password-resets/check": { account_name: "wangfang", expires_at: "2026-11-30T08:00:00Z" } }),
  act: "确认",
  refuses: { 新密码: "请输入新密码", 再次输入新密码: "请再次输入新密码" },
  fills: { 新密码: "another-2026", 再次输入新密码: "another-2026" },
  sends: { method: "POST", path: "/api/v1/password-resets", body: { token: "t-1", new_password: "another-2026" } },
  answer: { account_name: "wangfang" },
  problemAt: ["new_password", "新密码"],
  does: (open) => {
    expect(open.timesShown("您的账号是 wangfang")).toBe(1);
    expect(location.hash).toBe("");
  },
});

describeForm("the second step of signing in", {
  page: SecondFactorQuestion,
  act: "确认",
  refuses: { 动态口令: "请输入动态口令或恢复码" },
  fills: { 动态口令: " 123456 " },
  sends: { method: "POST", path: "/api/v1/sessions/current/second-factor", body: { code: "123456" } },
  answer: {},
  problemAt: ["code", "动态口令"],
  emits: "done",
});

const enrolled = { secret: "ABCD", qr_svg: "<svg />", otpauth_uri: "otpauth:" };

describeForm("beginning with a second factor", {
  page: SecondFactorEnrolment,
  act: "下一步",
  refuses: { 当前密码: "请输入当前密码" },
  fills: { 当前密码: "former-2025" },
  sends: { method: "POST", path: "/api/v1/me/second-factor", body: { current_password: "former-2025" } },
  answer: enrolled,
  problemAt: ["current_password", "当前密码"],
  does: (open) => {
    expect(open.timesShown("ABCD")).toBe(1);
    expect(open.focused()).toBe("2. 输入应用显示的 6 位数字");
  },
});

describeForm("the first code of a second factor", {
  page: SecondFactorEnrolment,
  prepares: async (open) => {
    open.api.answer(enrolled);
    await open.fill({ 当前密码: "former-2025" });
    press("下一步");
    await settle();
  },
  act: "启用",
  refuses: { "2. 输入应用显示的 6 位数字": "请输入应用显示的 6 位数字" },
  fills: { "2. 输入应用显示的 6 位数字": "123456" },
  sends: { method: "POST", path: "/api/v1/me/second-factor/confirm", body: { code: "123456" } },
  answer: { recovery_codes: ["AAAA-BBBB", "CCCC-DDDD"] },
  problemAt: ["code", "2. 输入应用显示的 6 位数字"],
  does: (open) => {
    expect(open.timesShown("AAAA-BBBB")).toBe(1);
    expect(open.emitted("done")).toEqual([]);
    press("已保管好，继续");
    expect(open.emitted("done")).toHaveLength(1);
  },
});

describeForm("turning the second factor off", {
  page: SecondFactorRemoval,
  act: "停用",
  refuses: { 当前密码: "请输入当前密码" },
  fills: { 当前密码: "former-2025" },
  confirms: "停用",
  sends: { method: "POST", path: "/api/v1/me/second-factor/remove", body: { current_password: "former-2025" } },
  answer: {},
  problemAt: ["current_password", "当前密码"],
  emits: "done",
});

describe("turning the second factor off", () => {
  beforeEach(() => signIn());
  afterEach(closeForm);

  it("sends nothing where the question is declined, and can be begun again", async () => {
    const open = await openForm({ page: SecondFactorRemoval });
    open.api.answer({});
    await open.fill({ 当前密码: "former-2025" });
    press("停用");
    await settle();
    await confirm("取消");
    expect(open.api.commands).toEqual([]);

    press("停用", "form");
    await settle();
    await confirm("停用");
    expect(open.api.commands).toHaveLength(1);
  });
});
