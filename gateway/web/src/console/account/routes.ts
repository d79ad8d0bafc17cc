// The routes of the own account.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/account",
    name: "account",
    component: () => import("@/console/account/AccountPage.vue"),
    meta: { title: "账号设置" },
  },
];
