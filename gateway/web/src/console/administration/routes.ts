// The routes of unions, accounts and changes of telephone.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/unions",
    name: "unions",
    component: () => import("@/console/administration/UnionsPage.vue"),
    meta: { title: "工会管理", roles: ["administrator"], menu: { group: "系统管理", order: 60 } },
  },
  {
    path: "/union-changes",
    name: "union-changes",
    component: () => import("@/console/administration/UnionChangesPage.vue"),
    meta: { title: "工会撤并", roles: ["administrator"], menu: { group: "系统管理", order: 60.5 } },
  },
  {
    path: "/accounts",
    name: "accounts",
    component: () => import("@/console/administration/AccountsPage.vue"),
    meta: { title: "账号管理", roles: ["administrator"], menu: { group: "系统管理", order: 61 } },
    children: [
      {
        path: ":account_id([0-9a-f-]{36})",
        name: "account-of",
        component: () => import("@/console/administration/AccountDrawer.vue"),
        meta: { title: "账号详情" },
      },
    ],
  },
  {
    path: "/phone-changes",
    name: "phone-changes",
    component: () => import("@/console/administration/PhoneChangesPage.vue"),
    meta: { title: "手机号更换确认", roles: ["administrator"], menu: { group: "系统管理", order: 62 } },
  },
];
