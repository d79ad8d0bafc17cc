// The route of message templates.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/message-templates",
    name: "message-templates",
    component: () => import("@/console/templates/TemplatesPage.vue"),
    meta: { title: "消息模板", roles: ["administrator"], isOfTheCity: true, menu: { group: "系统管理", order: 65 } },
  },
];
