// The routes of requests of members for their data.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/subject-requests",
    name: "subject-requests",
    component: () => import("@/console/subjects/SubjectRequestsPage.vue"),
    meta: { title: "个人信息请求", roles: ["administrator"], menu: { group: "系统管理", order: 63 } },
    children: [
      {
        path: ":request_id([0-9a-f-]{36})",
        name: "subject-request",
        component: () => import("@/console/subjects/SubjectRequestDrawer.vue"),
        meta: { title: "个人信息请求详情" },
      },
    ],
  },
];
