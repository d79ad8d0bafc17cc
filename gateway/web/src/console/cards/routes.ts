// The routes of cards after they are made.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/cards",
    name: "cards",
    component: () => import("@/console/cards/CardsPage.vue"),
    meta: {
      title: "领卡管理",
      roles: ["clerk", "reviewer", "administrator"],
      menu: { group: "会员服务卡管理", order: 35 },
    },
  },
  {
    path: "/collect/:application_id?",
    name: "collect",
    component: () => import("@/console/cards/CollectPage.vue"),
    meta: { title: "扫码领卡", roles: ["clerk"] },
  },
];
