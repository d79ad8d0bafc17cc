// The route of messages.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/messages",
    name: "messages",
    component: () => import("@/console/messages/MessagesPage.vue"),
    meta: { title: "消息提醒" },
  },
];
