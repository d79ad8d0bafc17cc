// The route of branches and outlets.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/outlets",
    name: "outlets",
    component: () => import("@/console/places/OutletsPage.vue"),
    meta: { title: "网点管理", roles: ["administrator"], isOfTheCity: true, menu: { group: "系统管理", order: 62 } },
  },
];
