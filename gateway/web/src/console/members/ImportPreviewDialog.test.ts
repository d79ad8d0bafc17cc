// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import ImportPreviewDialog from "@/console/members/ImportPreviewDialog.vue";
import { signIn } from "@/testing/fakeApi";
import { press, settle } from "@/testing/fields";
import { closeForm, openForm } from "@/testing/forms";

const sheet = { headings: ["姓名"], rows: 1, reason: null, not_read: [] };
const job = {
  import_id: "i-1",
  file_name: "会员.xlsx",
  rows_total: 2,
  rows_new: 2,
  rows_wrong: 0,
  expires_at: null,
  sheets: [
    { ...sheet, sheet_no: 1, name: "甲车间" },
    { ...sheet, sheet_no: 2, name: "乙车间" },
  ],
};
const opened = () =>
  openForm({
    page: ImportPreviewDialog,
    props: { job },
    reads: () => ({ "/api/v1/members/imports/i-1/preview": { rows: [], wrong: [] } }),
  });
async function tick(place: number): Promise<void> {
  document.querySelectorAll<HTMLInputElement>("fieldset input")[place]!.click();
  await settle();
}

describe("the preview of an import", () => {
  beforeEach(() => signIn());
  afterEach(closeForm);

  it("tells that no sheet is chosen, and sends nothing", async () => {
    const open = await opened();
    await tick(0);
    await tick(1);
    press("确认导入所选工作表");
    await settle();

    expect(open.reasons()).toEqual({ "": "请选择要导入的工作表" });
    expect(open.api.commands).toEqual([]);
  });

  it("confirms the chosen sheets once, closes and tells", async () => {
    const open = await opened();
    open.api.answer({});
    await tick(0);
    press("确认导入所选工作表");
    press("取消导入");
    await settle();

    expect(open.api.commands).toMatchObject([{ path: "/api/v1/members/imports/i-1/confirm", body: { sheets: [2] } }]);
    expect([open.emitted("changed").length, open.emitted("close").length]).toEqual([1, 1]);
    expect(open.timesShown("已确认，正在登记会员")).toBe(1);
  });

  it("gives the import up, also without a sheet", async () => {
    const open = await opened();
    open.api.answer({});
    await tick(0);
    await tick(1);
    press("取消导入");
    await settle();

    expect(open.api.commands).toMatchObject([{ path: "/api/v1/members/imports/i-1/cancel" }]);
    expect(open.timesShown("已取消，没有登记任何会员")).toBe(1);
  });

  it("shows the problem of the act that was tried last, once", async () => {
    const open = await opened();
    open.api.refuse(409);
    open.api.refuseAs("import_ended", "导入已结束");
    press("确认导入 2 行");
    await settle();
    expect(open.timesShown("请求未被接受")).toBe(1);
    press("取消导入");
    await settle();

    expect([open.timesShown("请求未被接受"), open.timesShown("导入已结束")]).toEqual([0, 1]);
  });
});
