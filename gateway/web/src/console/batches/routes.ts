// The routes of batches.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/batches",
    name: "batches",
    component: () => import("@/console/batches/BatchesPage.vue"),
    meta: {
      title: "办卡批次管理",
      roles: ["clerk", "reviewer", "administrator"],
      menu: { group: "会员服务卡管理", order: 30 },
    },
  },
  {
    path: "/batches/:batch_no",
    name: "batch",
    component: () => import("@/console/batches/BatchPage.vue"),
    meta: { title: "办卡批次", roles: ["clerk", "reviewer", "administrator"] },
  },
];
