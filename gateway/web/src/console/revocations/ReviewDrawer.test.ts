// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import ReviewDrawer from "@/console/revocations/ReviewDrawer.vue";
import { signIn } from "@/testing/fakeApi";
import { press, settle } from "@/testing/fields";
import { closeForm, confirm, describeForm, openForm, type FormCase } from "@/testing/forms";

const REMARK = "审核意见（审核不通过时必填）";
const requested = {
  revocation_id: "r-1",
  batch_no: "B-1",
  state: "requested",
  union: { name: "杨浦区总工会" },
  applicant_name: "王芳",
  applicant_phone: "13812345678",
  requested_at: "2026-11-01T08:00:00Z",
  submitted_at: "2026-11-01T07:00:00Z",
  channel: "ordinary",
  outlet_name: "五角场网点",
  total: 3,
  issued: 0,
  refused: 0,
  released: 0,
  can_decide: true,
  is_of_same_administrator: false,
};

const deciding = {
  page: ReviewDrawer,
  at: "/revocations/r-1",
  routes: { revocation: "/revocations/:revocation_id", revocations: "/revocations", batch: "/batches/:batch_no" },
  reads: () => ({ "/api/v1/revocations/r-1": requested }),
};

const rejecting: FormCase = {
  ...deciding,
  act: "审核不通过",
  refuses: { [REMARK]: "审核不通过时，请填写审核意见，申请人会看到" },
  fills: { [REMARK]: " 银行已在制卡 " },
  confirms: "审核不通过",
  sends: { method: "POST", path: "/api/v1/revocations/r-1/reject", body: { remark: "银行已在制卡" }, isUnderKey: true },
  answer: { state: "rejected" },
  problemAt: ["remark", REMARK],
  emits: "changed",
  does: (open) => expect(open.timesShown("已审核不通过，申请工会会收到消息")).toBe(1),
};

describeForm("rejecting a request", rejecting);

describe("deciding on a request", () => {
  beforeEach(() => signIn({ roles: ["reviewer"] }));
  afterEach(closeForm);

  it("approves without a remark, also after a rejection was begun without one", async () => {
    const open = await openForm(deciding);
    open.api.answer({ state: "approved" });
    press("审核不通过");
    await settle();
    expect(open.reasons()).not.toEqual({});

    press("审核通过");
    await settle();
    expect(open.reasons()).toEqual({});
    await confirm("审核通过");

    expect(open.api.commands).toMatchObject([{ path: "/api/v1/revocations/r-1/approve", body: { remark: null } }]);
    expect(open.timesShown("已审核通过，申请工会会收到消息")).toBe(1);
  });

  it("shows the decision where another reviewer was quicker", async () => {
    let known: object = requested;
    const open = await openForm({ ...deciding, reads: () => ({ "/api/v1/revocations/r-1": () => known }) });
    open.api.refuseAs("already_decided", "该撤销申请已审核");
    press("审核通过");
    await settle();
    known = { ...requested, state: "rejected", can_decide: false, decided_at: "2026-11-01T09:00:00Z", remark: "银行已在制卡" };
    await confirm("审核通过");
    await settle();

    expect(open.timesShown("审核意见：银行已在制卡")).toBe(1);
    expect(open.emitted("changed")).toHaveLength(1);
  });
});
