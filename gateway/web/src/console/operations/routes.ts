// The routes of operations: status, runbooks, dead letters, the bank and its files.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/operations",
    name: "operations",
    component: () => import("@/console/operations/StatusPage.vue"),
    meta: { title: "运行状态", roles: ["operator"], menu: { group: "运维", order: 80 } },
  },
  {
    path: "/runbooks/:name?",
    name: "runbook",
    component: () => import("@/console/operations/RunbookPage.vue"),
    meta: { title: "处置手册", roles: ["operator"] },
  },
  {
    path: "/dead-letters",
    name: "dead-letters",
    component: () => import("@/console/operations/DeadLettersPage.vue"),
    meta: { title: "死信处理", roles: ["operator"], menu: { group: "运维", order: 81 } },
    children: [
      {
        path: ":queue/:letter_id",
        name: "dead-letter",
        component: () => import("@/console/operations/DeadLetterDrawer.vue"),
        meta: { title: "死信详情" },
      },
    ],
  },
  {
    path: "/bank-batches",
    name: "bank-batches",
    component: () => import("@/console/operations/BankPage.vue"),
    meta: { title: "银行往来", roles: ["operator"], menu: { group: "运维", order: 82 } },
  },
  {
    path: "/bank-files",
    name: "bank-files",
    component: () => import("@/console/operations/BankFilesPage.vue"),
    meta: { title: "银行文件", roles: ["operator"], menu: { group: "运维", order: 83 } },
  },
  {
    path: "/result-files",
    name: "result-files",
    component: () => import("@/console/operations/ResultFilesPage.vue"),
    meta: { title: "银行结果", roles: ["operator"], menu: { group: "运维", order: 84 } },
    children: [
      {
        path: ":result_file_id",
        name: "result-file",
        component: () => import("@/console/operations/ResultFileDrawer.vue"),
        meta: { title: "结果文件" },
      },
    ],
  },
];
