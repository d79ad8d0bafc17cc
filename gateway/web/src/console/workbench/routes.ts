// The route of the workbench.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/",
    name: "workbench",
    component: () => import("@/console/workbench/WorkbenchPage.vue"),
    meta: { title: "业务工作台" },
  },
];
