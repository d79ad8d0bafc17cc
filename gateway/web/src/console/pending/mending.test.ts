// @vitest-environment happy-dom
// Tests of mending people whose check failed: which fields are shown, what is sent, and the walk through all of them.
import { mount } from "@vue/test-utils";
import { ElMessage } from "element-plus";
import { afterEach, describe, expect, it, vi } from "vitest";
import { defineComponent, h, ref } from "vue";
import type { Pending } from "@/api/types";
import MendDialog from "@/console/pending/MendDialog.vue";
import { fieldsToMend, formOf, mendsOf, wrongMends } from "@/console/pending/mending";
import { fakeApi } from "@/testing/fakeApi";
import { eventually, fieldsOf, press, settle } from "@/testing/fields";

function failed(name: string, ...codes: string[]): Pending {
  return {
    application_id: `p-${name}`,
    name,
    document_type: "resident_id",
    document_number: "31011*****16",
    document_expiry: "2024-01-31",
    nationality: "CHN",
    check_state: "failed",
    findings: codes.map((code) => ({ code, severity: "error", message: `有误：${code}` })),
    missing: [],
  } as unknown as Pending;
}

describe("the fields that are shown first", () => {
  it.each([
    ["expired", ["document_expiry"]],
    ["validity_term_unusual", ["document_expiry"]],
    ["category_missing", ["retirement_category", "special_retirement_month"]],
    ["name_private_use_character", ["name"]],
    ["check_digit_wrong", ["document_type", "document_number"]],
    ["birth_date_differs", ["document_type", "document_number"]],
    ["nationality_differs", ["document_type", "nationality"]],
    ["under_age", ["document_number", "birth_date"]],
    ["birth_date_implausible", ["document_number", "birth_date"]],
    ["retired_by_registry", []],
  ])("are those that %s is about", (code, fields) => {
    expect(fieldsToMend(failed("王芳", code))).toEqual(fields);
  });

  it("are not those of what only is worth a look", () => {
    const entry = failed("王芳", "expired");
    entry.findings.push({ code: "name_outside_gb2312", severity: "warning", message: "生僻字" });
    expect(fieldsToMend(entry)).toEqual(["document_expiry"]);
  });
});

describe("what is sent", () => {
  const entry = failed("王芳", "expired");
  const changed = (changes: object) => ({ ...formOf(entry), ...changes });

  it("is what differs, alone", () => {
    expect(mendsOf(changed({ document_expiry: "2039-01-31", phone: " 13812345678 " }), entry)).toEqual({
      document_expiry: "2039-01-31",
      phone: "13812345678",
    });
    expect(mendsOf(changed({}), entry)).toEqual({});
  });

  it("is right beforehand", () => {
    expect(wrongMends(changed({}), entry, "2026-11-29")).toEqual({});
    expect(Object.keys(wrongMends(changed({ document_expiry: "2025-01-01", phone: "1", name: " " }), entry, "2026-11-29"))).toEqual([
      "name",
      "document_expiry",
      "phone",
    ]);
    expect(wrongMends(changed({ document_type: "passport" }), entry, "2026-11-29").document_number).toContain("请填写完整的证件号码");
  });
});

describe("walking through those who failed", () => {
  async function walking(...entries: Pending[]) {
    const api = fakeApi();
    const shown = ref(entries);
    const changed = vi.fn();
    const wrapper = mount(
      defineComponent(
        () => () =>
          h(MendDialog, { entries: shown.value, onClose: () => (shown.value = []), onChanged: changed, onExplain: () => undefined }),
      ),
      { attachTo: document.body, global: { stubs: { transition: true, ElDatePicker: true, ElSelect: true } } },
    );
    unmount = () => wrapper.unmount();
    await settle();
    const answered = () => {
      api.answer({ name: "王芳" });
      api.answer({ checking: 1 });
    };
    return {
      api,
      wrapper,
      changed,
      answered,
      ...fieldsOf(wrapper),
      isOver: () => shown.value.length === 0,
      text: () => document.body.textContent,
    };
  }
  let unmount = () => undefined as void;
  afterEach(async () => {
    unmount();
    ElMessage.closeAll();
    await settle();
    document.body.replaceChildren();
    vi.unstubAllGlobals();
  });

  it("mends one, has it checked at once, and goes on with the next", async () => {
    const { api, fill, answered, changed, isOver, text } = await walking(failed("王芳", "expired"), failed("李雷", "category_missing"));
    expect(text()).toContain("第 1 人，共 2 人");
    answered();
    await fill({ 证件到期日: "2039-01-31" });
    press("保存，处理下一个");
    await settle();

    expect(api.commands.map(({ path, body }) => [path, body])).toEqual([
      ["/api/v1/pending/p-王芳".replace("王芳", encodeURIComponent("王芳")), { document_expiry: "2039-01-31" }],
      ["/api/v1/pending/validate", { application_ids: ["p-王芳"] }],
    ]);
    expect(text()).toContain("第 2 人，共 2 人");
    expect(text()).toContain("有误：category_missing");
    expect(changed).toHaveBeenCalledOnce();

    answered();
    await fill({ 退休类别: "F50" });
    press("保存并校验");
    await settle();
    expect(api.commands.slice(-2)[0]!.body).toEqual({ retirement_category: "F50" });
    expect(isOver()).toBe(true);
    expect(text()).toContain("已处理完 2 人，其中修改 2 人");
  });

  it("says that nothing was changed, and sends nothing", async () => {
    const { api, text, isOver } = await walking(failed("王芳", "expired"));
    press("保存并校验");
    await settle();

    expect(text()).toContain("没有修改任何内容");
    expect(api.commands).toEqual([]);
    expect(isOver()).toBe(false);
  });

  it("asks before it leaves what was filled in", async () => {
    const { fill, text } = await walking(failed("王芳", "category_missing"), failed("李雷", "expired"));
    await fill({ 退休类别: "F50" });
    press("下一个");
    await eventually(() => expect(text()).toContain("填写的内容还没有保存"));
    press("取消", ".el-message-box");
    await settle();
    expect(text()).toContain("第 1 人，共 2 人");
  });

  it("removes one who cannot be mended, after a question", async () => {
    const { api, text } = await walking(failed("王芳", "retired_by_registry"), failed("李雷", "expired"));
    api.answer({ removed: 1 });
    press("移除该会员");
    await eventually(() => press("移除", ".el-message-box"));
    await eventually(() => expect(text()).toContain("第 2 人，共 2 人"));
    expect(api.commands.map(({ path, body }) => [path, body])).toEqual([["/api/v1/pending/remove", { application_ids: ["p-王芳"] }]]);
  });
});
