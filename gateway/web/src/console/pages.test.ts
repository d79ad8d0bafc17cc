// @vitest-environment happy-dom
// Every list of the console as it is drawn: its rows, what is offered for them, and no complaint of the framework.
import { mount, type VueWrapper } from "@vue/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createMemoryHistory, createRouter, type RouteRecordRaw } from "vue-router";
import type { Component } from "vue";
import ConsoleLayout from "@/console/layout/ConsoleLayout.vue";
import { session } from "@/console/session";
import { fakeApi, signIn } from "@/testing/fakeApi";
import { settle } from "@/testing/fields";

const areas = import.meta.glob<{ routes: RouteRecordRaw[] }>("./*/routes.ts", { eager: true });
const page = (items: object[], more: object = {}) => ({ items, page: 1, size: 20, total: items.length, total_is_exact: true, ...more });
const union = { union_id: "city", name: "上海市总工会", code: "81", kind: "city" };
const counted = { total: 1, passed: 0, failed: 1, unchecked: 0, checking: 0, waiting: 0 };
const batch = {
  batch_no: "cbc81310000001000013D20261129001",
  union,
  channel: "ordinary",
  personal: false,
  state: "submitted",
  total: 6,
  issued: 1,
  refused: 1,
  released: 0,
  submitted_at: "2026-11-29T12:59:00Z",
  feedback_at: null,
  feedback_text: "自行前往所选银行网点申办卡",
  count_month: "2026-12",
  revocation_state: null,
  outlet: { code: "o", name: "工商银行国华支行", address: "闸殷路1555号" },
  register_state: "unprinted",
  revocable: true,
};
const member = {
  member_id: "0192f0c1-0000-7000-8000-000000000001",
  member_no: "0070000001",
  name: "王芳",
  document_type: "resident_id",
  document_number: "31010***********17",
  card_no: null,
  applied_at: null,
  channel: null,
  card_state: "none",
  selectable: true,
  reason: null,
  card_status: null,
  ended: { state: "refused", batch_no: batch.batch_no, reason: "证件影像不清晰", at: "2026-11-29T12:59:00Z" },
  left_because: null,
};
const enrolment = {
  ...{ enrolment_no: "JS2026-00000017", year: 2026, way: "immediate", kinds: ["hospital", "death"], status: "ended", reason: "会员退会" },
  ...{ covers_from: "2026-11-26", covers_to: "2026-12-31", changed_at: "2026-11-25T01:00:00Z", card_status: "lost" },
  ...{ member_id: member.member_id, member_no: member.member_no, name: member.name, left_because: "left" },
  ...{ document_type: "resident_id", document_number: member.document_number, union_id: union.union_id, union_name: union.name },
};
const pending = {
  ...member,
  application_id: "p-1",
  document_expiry: "2024-01-31",
  nationality: "CHN",
  listed_at: "2026-11-29T12:59:00Z",
  check_state: "failed",
  findings: [{ code: "expired", severity: "error", message: "证件已于2024-01-31到期" }],
  channel: "ordinary",
  can_switch: true,
  complete: true,
  missing: [],
};
const account = {
  account_id: "a-1",
  account_name: "jianlang",
  display_name: "王芳",
  union_name: union.name,
  roles: ["clerk"],
  state: "active",
};
const figures = {
  members: 3,
  cards: 2,
  card_rate: 0.6667,
  queued: 3,
  passed: 3,
  failed: 0,
  submitted: 3,
  issued: 2,
  refused: 1,
  revoked: 0,
};
const days = { median_days: 12, p90_days: 20, waiting_submission: 0, waiting_bank: 0 };
const current = { ...figures, ...days };
const bankFile = {
  ...{ file_id: "f-1", kind: "recall", batch_no: batch.batch_no, union_name: union.name, branch_code: "b", branch_name: "工商银行" },
  ...{ outlet_name: "工商银行国华支行", persons: 2, repeated: true, made_at: "2026-11-29T12:59:00Z", fetched_at: null, fetched_by: null },
};
const resultFile = {
  ...{ result_file_id: "r-1", branch_code: "b", branch_name: "工商银行", file_name: "结果.xlsx", uploaded_by: "ops" },
  ...{ uploaded_at: "2026-11-29T12:59:00Z", lines: 3, applied: 1, repeated: 0, rejected: 2, skipped: 0 },
};
const subjectRequest = {
  ...{ request_id: "01a22e2c-25e5-7233-9e00-328b541554e0", kind: "erasure", state: "working", member_no: member.member_no },
  ...{ union_id: union.union_id, union_name: union.name, reason: "本人书面申请", requested_by_name: "王芳", done_at: null },
  ...{ requested_at: "2026-11-29T12:59:00Z", expires_at: "2026-12-02T12:59:00Z", decided_by_name: "李娜" },
  ...{ decided_at: "2026-11-29T13:59:00Z", parts: [], unanswered: [], can_confirm: false, can_end: false, can_fetch: false },
};
const READS = {
  "/api/v1/members": page([member], { hint: "仅显示关联企业内会员" }),
  "/api/v1/pending": page([pending], {
    counts: { ordinary: counted, special: { ...counted, total: 0, failed: 0, complete: 0, incomplete: 0, ready: 0 } },
  }),
  "/api/v1/batches": page([batch]),
  "/api/v1/revocations": page([
    {
      ...batch,
      revocation_id: "r-1",
      state: "requested",
      applicant_name: "王芳",
      requested_at: "2026-11-29T12:59:00Z",
      decided_at: null,
      can_decide: true,
    },
  ]),
  "/api/v1/cards": page(
    [
      {
        ...{ application_id: "p-2", member_id: member.member_id, member_no: member.member_no, name: member.name },
        ...{ union_id: union.union_id, union_name: union.name, batch_no: batch.batch_no, outlet: batch.outlet },
        ...{ card_no: "622478******7891", status: "made", made_at: "2026-10-01T02:00:00Z", collected_at: null },
        ...{ waiting_days: 59, overdue: true, reminded_at: null, unreachable: true, can_be_marked: true },
      },
    ],
    { counts: { waiting: 1, overdue: 1 }, overdue_days: 22 },
  ),
  "/api/v1/enrolments": page([enrolment], { is_connected: true }),
  "/api/v1/transfers": page([
    {
      ...{ transfer_id: "t-1", state: "requested", name: "王芳", document_number: "31010***********17", member_id: null },
      ...{ member_no: null, card_state: null, from_union: null, to_union: union.name, reason: null, remark: null },
      ...{ requested_at: "2026-11-29T12:59:00Z", due_on: "2026-12-11", decided_at: null, is_automatic: false },
      ...{ can_decide: true, can_withdraw: false },
    },
  ]),
  "/api/v1/delegations": page([
    {
      ...{ delegation_id: "d-1", state: "active", principal_name: "张三", union_name: "杨浦区总工会", deputy_name: "李四" },
      ...{ deputy_union_name: "上海市总工会", first_day: "2026-12-01", last_day: "2026-12-11", reason: "出差" },
      ...{ made_by_name: "张三", made_at: "2026-11-29T12:59:00Z", ended_at: null, ended_by_name: null, can_end: true },
    },
  ]),
  "/api/v1/accounts": page([account]),
  "/api/v1/unions": page([union]),
  "/api/v1/outlets": page([
    { code: "o", branch_code: "b", name: "国华支行", address: "闸殷路", district: "杨浦区", phone: "021", closed: false },
  ]),
  "/api/v1/branches": page([{ code: "b", name: "工商银行", charset: "gb18030", closed: false }]),
  "/api/v1/audit": {
    items: [{ act_id: "x", at: "2026-11-29T12:59:00Z", label: "登录", records: [], outcome: "done", roles: [] }],
    before: null,
  },
  "/api/v1/audit/names": { actions: [], record_kinds: [] },
  "/api/v1/audit/searches": { items: [{ search_id: "s-1", name: "本月登录失败", filter: { outcome: "refused" } }] },
  "/api/v1/reports": page([{ key: "u", name: "基层工会", union_id: "u", has_below: false, current, previous: current }], {
    union,
    above: [],
    first_month: "2026-11",
    last_month: "2026-11",
    previous_first_month: "2026-10",
    previous_last_month: "2026-10",
    current,
    previous: { ...current, issued: 1 },
    months: [{ month: "2026-11", figures: current }],
    failed_by_rule: [],
    refused_by_reason: [{ code: "x", reason: "姓名与证件不符", count: 1, previous: 0 }],
    branches: [],
    made_at: "2026-11-29T12:59:00Z",
    is_rebuilding: true,
  }),
  "/api/v1/operations/dead-letters": page([], { unanswered: [] }),
  "/api/v1/subject-requests": page([subjectRequest]),
  "/api/v1/subject-requests/01a22e2c-25e5-7233-9e00-328b541554e0": {
    ...subjectRequest,
    parts: [{ service: "membership", title: "会员资料", rows: 1, kept_because: null }],
    unanswered: ["batching"],
  },
  "/api/v1/operations/bank-files": page([bankFile], { waiting: 1 }),
  "/api/v1/operations/result-files": page([resultFile]),
  "/api/v1/operations/result-files/r-1": {
    ...resultFile,
    rejections: [{ sheet: "办理结果", lines: [2, 3], code: "bad_schema", field: "退回代码", reason: "请填写" }],
    not_read: ["备注"],
  },
  [`/api/v1/members/${member.member_id}`]: {
    ...member,
    union_id: union.union_id,
    affiliation: "employer",
    registered_at: "2026-11-29T12:59:00Z",
    corrections: [],
    applications: [],
    enrolments: [enrolment],
    card_steps: [{ step: "collected", happened_at: "2026-11-29T12:59:00Z", by_union: true, card_no: "622478******7891" }],
  },
  [`/api/v1/batches/${batch.batch_no}`]: {
    ...batch,
    branch: { code: "b", name: "工商银行" },
    contact: { name: "王芳", phone: "138****5678" },
  },
  [`/api/v1/batches/${batch.batch_no}/members`]: page([{ ...member, application_id: "p-1", state: "issued", decided_at: null }]),
};
/** Each list, and what its row says or offers. */
const LISTS: Record<string, readonly string[]> = {
  "/members": ["王芳", "查看详情", "列设置", "银行退回", "证件影像不清晰"],
  "/cards": ["已等待 59 天", "超期", "无手机号，请联系会员", "超过 22 个工作日未领"],
  "/cards?below=false": ["登记领卡", "打印领卡签收单"],
  "/enrolments": ["2026-11-26 至", "2026-12-31", "住院、身故", "即时参保", "已终止", "会员退会", "已退会", "已挂失"],
  "/transfers": ["待办理", "其他工会 → 上海市总工会", "不同意"],
  "/pending": ["证件已于2024-01-31到期", "含下级工会", "2026-11-29 20:59"],
  "/pending?below=false": ["逐个处理未通过的 1 人", "修改证件到期日"],
  "/batches": ["打印清册", "退回 1", "自行前往所选银行网点申办卡"],
  "/revocations": ["待审核", "批量审核", "2026-11-29 20:59"],
  "/delegations": ["张三", "李四", "2026-12-01 至 2026-12-11", "生效中", "结束", "委托代审"],
  "/accounts": ["jianlang", "经办人"],
  "/unions": ["上海市总工会"],
  "/outlets": ["国华支行", "杨浦区"],
  "/reports": ["（含下级工会），2026-11，与 2026-10 对比", "+100.0%", "66.7%", "姓名与证件不符", "数字暂不完整"],
  "/audit": ["登录", "2026-11-29 20:59", "导出", "保存查询", "本月登录失败"],
  "/dead-letters": ["没有死信"],
  "/subject-requests": ["受理请求", "删除", "0070000001", "办理中", "详情"],
  "/bank-files": ["有 1 个文件待下载", "撤回名单", "重新发送", "工商银行国华支行", "待下载"],
  "/result-files": ["没有以文件交接的支行", "结果.xlsx", "未采用", "详情"],
  "/phone-changes": ["没有更换手机号的申请"],
  "/announcements": ["还没有通知公告"],
};

describe("a list of the console", () => {
  let shown: VueWrapper | undefined;
  const complaints: string[] = [];
  beforeEach(() => {
    fakeApi(READS);
    signIn({ roles: ["administrator", "clerk", "reviewer"] });
    complaints.length = 0;
    for (const kind of ["warn", "error"] as const) {
      vi.spyOn(console, kind).mockImplementation((...told: unknown[]) => void complaints.push(told.map(String).join(" ")));
    }
  });
  afterEach(() => {
    shown?.unmount();
    session.end();
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
    document.body.replaceChildren();
  });

  it.each([
    [
      `/members/${member.member_id}`,
      ["1 / 1", "下一条", "还没有办卡申请", "登记时间", "卡片记录", "工会登记", "参保信息", "住院保障、身故保障"],
    ],
    [`/enrolments/${enrolment.enrolment_no}`, ["1 / 1", "终止原因", "住院保障、身故保障", "居民身份证", "查看会员详情"]],
    [`/subject-requests/${subjectRequest.request_id}`, ["等待应答：办卡批次", "会员资料", "已删除", "本人书面申请"]],
    ["/result-files/r-1", ["未采用的行", "退回代码", "办理结果 第 2、3 行", "下载回执", "备注"]],
    [`/batches/${batch.batch_no}`, ["人员办卡情况", "计入月份", "已办卡", "撤销申请与审核"]],
  ])("leads to details that are drawn without a complaint, in the layout: %s", async (path, texts) => {
    const router = createRouter({ history: createMemoryHistory(), routes: Object.values(areas).flatMap((area) => area.routes) });
    await router.push(path);
    shown = mount(ConsoleLayout, { attachTo: document.body, global: { plugins: [router], stubs: { transition: true } } });
    await settle();
    await settle();

    for (const text of texts) expect(document.body.textContent).toContain(text);
    expect(document.querySelector("nav[aria-label=功能菜单]")!.textContent).toContain("待办会员列表");
    expect(complaints).toEqual([]);
  });

  it.each(Object.entries(LISTS))("is drawn without a complaint: %s", async (path, texts) => {
    const routes = Object.values(areas).flatMap((area) => area.routes);
    const router = createRouter({ history: createMemoryHistory(), routes });
    await router.push(path);
    const component = router.currentRoute.value.matched[0]!.components!.default as Component;
    shown = mount(component, { attachTo: document.body, global: { plugins: [router], stubs: { transition: true } } });
    await settle();
    await settle();

    for (const text of texts) expect(document.body.textContent).toContain(text);
    expect(complaints).toEqual([]);
  });
});
