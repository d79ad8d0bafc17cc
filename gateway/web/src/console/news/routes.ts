// The routes of announcements and guides.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/announcements",
    name: "announcements",
    component: () => import("@/console/news/AnnouncementsPage.vue"),
    meta: { title: "通知公告管理", roles: ["administrator"], isOfTheCity: true, menu: { group: "系统管理", order: 63 } },
  },
  {
    path: "/guides",
    name: "guides",
    component: () => import("@/console/news/GuidesPage.vue"),
    meta: { title: "新手指引管理", roles: ["administrator"], isOfTheCity: true, menu: { group: "系统管理", order: 64 } },
  },
];
