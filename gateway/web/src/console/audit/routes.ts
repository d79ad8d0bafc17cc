// The routes of the audit log.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/audit",
    name: "audit",
    component: () => import("@/console/audit/AuditPage.vue"),
    meta: { title: "操作日志", roles: ["administrator", "operator"], menu: { group: "系统管理", order: 69 } },
    children: [
      {
        path: ":act_id([0-9a-f-]{36})",
        name: "act",
        component: () => import("@/console/audit/AuditEventDrawer.vue"),
        meta: { title: "操作详情" },
      },
    ],
  },
];
