// The routes of deputies.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/delegations",
    name: "delegations",
    component: () => import("@/console/delegations/DelegationsPage.vue"),
    meta: {
      title: "委托管理",
      roles: ["clerk", "reviewer", "administrator"],
      menu: { group: "会员服务卡管理", order: 41, roles: ["reviewer", "administrator", "deputy"] },
    },
  },
];
