// @vitest-environment happy-dom
// Tests of several requests that are decided at once.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import BatchReviewDialog from "@/console/revocations/BatchReviewDialog.vue";
import { openDialog } from "@/testing/dialogs";
import { signIn } from "@/testing/fakeApi";
import { settle } from "@/testing/fields";

const request = (revocation_id: string, batch_no: string) => ({
  revocation_id,
  batch_no,
  union: { name: `${batch_no}工会` },
  reason_code: "outlet",
  reason: "网点选错",
  total: 3,
  issued: 0,
  refused: 0,
  released: 0,
});

let open: Awaited<ReturnType<typeof openDialog>>;

beforeEach(async () => {
  signIn({ roles: ["reviewer"] });
  const requests = [request("r-1", "B-1"), request("r-2", "B-2")];
  open = await openDialog({
    dialog: BatchReviewDialog,
    props: { requests },
    opensBy: "presence",
    title: "批量审核",
    shows: {},
    fills: {},
    sends: { method: "POST", path: "", body: undefined },
    answer: undefined,
  });
});
afterEach(() => {
  open.wrapper.unmount();
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

const rows = () => [...document.querySelectorAll(".el-dialog li")];
const reasons = () => open.wrapper.findAllComponents({ name: "ElFormItem" }).map((item) => item.props("error") as string);

async function choose(place: number, decision: "approve" | "reject", remark = ""): Promise<void> {
  const radio = rows()[place]!.querySelector<HTMLInputElement>(`input[value=${decision}]`)!;
  radio.checked = true;
  radio.dispatchEvent(new Event("change"));
  const field = rows()[place]!.querySelector<HTMLInputElement>(".el-input input")!;
  field.value = remark;
  field.dispatchEvent(new Event("input"));
  await settle();
}

describe("several requests", () => {
  it("are not sent before each has a decision, and a rejection its remark", async () => {
    await choose(0, "reject");
    await open.send();
    expect(reasons()).toEqual(["审核不通过时，请填写审核意见", "请选择审核结果"]);
    expect(open.api.commands).toEqual([]);
  });

  it("are sent together, each with its own decision and remark", async () => {
    await open.press("全部选通过");
    await choose(1, "reject", " 银行已在制卡 ");
    open.api.answer({ items: ["r-1", "r-2"].map((revocation_id) => ({ revocation_id, state: "approved", problem: null })) });
    await open.send();
    expect(open.api.commands).toMatchObject([
      {
        path: "/api/v1/revocations/decide",
        body: {
          decisions: [
            { revocation_id: "r-1", decision: "approve", remark: null },
            { revocation_id: "r-2", decision: "reject", remark: "银行已在制卡" },
          ],
        },
      },
    ]);
    expect(open.emitted("decided")).toHaveLength(1);
    expect(open.isClosed()).toBe(true);
    expect(open.text()).toContain("已审核 2 件申请");
  });

  it("that were refused stay with the reason, and those that were decided are gone", async () => {
    await open.press("全部选通过");
    open.api.answer({
      items: [
        { revocation_id: "r-1", state: "approved", problem: null },
        { revocation_id: "r-2", state: null, problem_code: "already_decided", problem: "该撤销申请已审核" },
      ],
    });
    await open.send();
    expect(open.isClosed()).toBe(false);
    expect(rows().map((row) => row.textContent)).toEqual([expect.stringContaining("B-2工会")]);
    expect(reasons()).toEqual(["该撤销申请已审核"]);
  });
});
