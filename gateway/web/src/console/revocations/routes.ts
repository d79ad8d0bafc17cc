// The routes of revocation requests.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/revocations",
    name: "revocations",
    component: () => import("@/console/revocations/RevocationsPage.vue"),
    meta: {
      title: "撤销审核",
      roles: ["reviewer", "administrator", "deputy"],
      menu: { group: "会员服务卡管理", order: 40 },
    },
    children: [
      {
        path: ":revocation_id([0-9a-f-]{36})",
        name: "revocation",
        component: () => import("@/console/revocations/ReviewDrawer.vue"),
        meta: { title: "撤销审核" },
      },
    ],
  },
];
