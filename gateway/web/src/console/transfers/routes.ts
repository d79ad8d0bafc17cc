// The routes of transfers.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/transfers",
    name: "transfers",
    component: () => import("@/console/transfers/TransfersPage.vue"),
    meta: {
      title: "会员转会",
      roles: ["clerk", "reviewer", "administrator"],
      menu: { group: "会员服务卡管理", order: 15 },
    },
  },
];
