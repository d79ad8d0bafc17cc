// The routes of enrolments.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/enrolments",
    name: "enrolments",
    component: () => import("@/console/enrolments/EnrolmentsPage.vue"),
    meta: {
      title: "参保信息查询",
      roles: ["clerk", "reviewer", "administrator"],
      menu: { group: "参保信息管理", order: 55 },
    },
    children: [
      {
        path: ":enrolment_no",
        name: "enrolment",
        component: () => import("@/console/enrolments/EnrolmentDrawer.vue"),
        meta: { title: "参保详情" },
      },
    ],
  },
];
