// @vitest-environment happy-dom
// Tests of how findings are told: in the row and in their dialog.
import { mount } from "@vue/test-utils";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Pending } from "@/api/types";
import CheckCell from "@/console/pending/CheckCell.vue";
import FindingsDialog from "@/console/pending/FindingsDialog.vue";
import { fakeApi } from "@/testing/fakeApi";
import { settle } from "@/testing/fields";

const finding = (severity: string, message: string) => ({ code: message, severity, message });
const entry = (check_state: string, ...findings: object[]) =>
  ({ application_id: "p-1", name: "王芳", check_state, findings }) as unknown as Pending;
const cellOf = (shown: Pending, canExplain = true) => mount(CheckCell, { props: { entry: shown, canExplain } });
const textOf = (shown: Pending) => cellOf(shown).text();

afterEach(() => {
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

describe("the cell of a check", () => {
  it("tells the gravest finding in full, and how many others there are", () => {
    const long = "退休登记无该会员信息，且退休类别未填写，无法核对退休状态，请补充退休类别";
    const shown = textOf(entry("failed", finding("info", "目前未退休"), finding("error", long), finding("warning", "快到期")));
    expect(shown).toContain(`${long}（另有 2 项）`);
  });

  it("tells what is only said, too", () => {
    expect(textOf(entry("passed", finding("info", "按退休类别推算目前未退休")))).toContain("按退休类别推算目前未退休");
  });

  it("leads to the reason of waiting", () => {
    expect(textOf(entry("waiting"))).toContain("查看等待原因");
  });

  it("has nothing to press where nothing was found", () => {
    expect(cellOf(entry("passed")).find("button").exists()).toBe(false);
  });

  it("is read by those above, who cannot open the findings of another union", () => {
    const cell = cellOf(entry("failed", finding("error", "证件已过期")), false);
    expect(cell.text()).toContain("证件已过期");
    expect(cell.find("button").exists()).toBe(false);
  });
});

describe("the findings of a check", () => {
  it("names rule, source and evidence in Chinese", async () => {
    const found = {
      ...finding("error", "证件号码第18位不正确"),
      rule: "document.resident_id",
      rule_version: "1",
      rule_title: "居民身份证号码",
      rule_source: "GB 11643-1999",
      evidence: { number: "31011*****16" },
      grounds: [{ title: "证件号码", value: "31011*****16" }],
    };
    fakeApi({ "/api/v1/checks/p-1": { result: "failed", checked_at: "2026-11-25T07:02:00Z", findings: [found] } });
    const dialog = mount(FindingsDialog, { props: { entry: undefined as Pending | undefined }, attachTo: document.body });
    await dialog.setProps({ entry: entry("failed", found) });
    await settle();

    expect(document.body.textContent).toContain("居民身份证号码（第 1 版），GB 11643-1999");
    expect(document.body.textContent).toContain("证件号码31011*****16");
    expect(document.body.textContent).not.toContain("document.resident_id");
    dialog.unmount();
  });
});
