// The routes of members and imports.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/members",
    name: "members",
    component: () => import("@/console/members/MembersPage.vue"),
    meta: {
      title: "卡片信息管理",
      roles: ["clerk", "reviewer", "administrator"],
      menu: { group: "会员服务卡管理", order: 10 },
    },
    children: [
      {
        path: ":member_id([0-9a-f-]{36})",
        name: "member",
        component: () => import("@/console/members/MemberDrawer.vue"),
        meta: { title: "会员详情" },
      },
    ],
  },
  {
    // Messages link to one import: its preview opens where it waits to be confirmed.
    path: "/members/imports/:import_id([0-9a-f-]{36})?",
    name: "imports",
    component: () => import("@/console/members/ImportsPage.vue"),
    meta: { title: "批量导入会员", roles: ["clerk"] },
  },
];
