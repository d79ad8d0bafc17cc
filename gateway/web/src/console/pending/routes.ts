// The route of the pending list.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/pending",
    name: "pending",
    component: () => import("@/console/pending/PendingPage.vue"),
    meta: {
      title: "待办会员列表",
      roles: ["clerk", "reviewer", "administrator"],
      menu: { group: "会员服务卡管理", order: 20 },
    },
  },
];
