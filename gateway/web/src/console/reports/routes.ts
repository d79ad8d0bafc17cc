// The route of the reports.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/reports",
    name: "reports",
    component: () => import("@/console/reports/ReportsPage.vue"),
    meta: {
      title: "统计报表",
      roles: ["clerk", "reviewer", "administrator"],
      menu: { group: "会员服务卡管理", order: 50 },
    },
  },
];
