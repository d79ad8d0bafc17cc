// The routes of sign-in, passwords and the second factor.
import type { RouteRecordRaw } from "vue-router";

export const routes: RouteRecordRaw[] = [
  {
    path: "/sign-in",
    name: "sign-in",
    component: () => import("@/console/signin/SignInPage.vue"),
    meta: { title: "登录", isPublic: true },
  },
  {
    path: "/reset",
    name: "reset",
    component: () => import("@/console/signin/ResetPage.vue"),
    meta: { title: "设置密码", isPublic: true },
  },
  {
    path: "/password",
    name: "password",
    component: () => import("@/console/signin/PasswordPage.vue"),
    meta: { title: "修改密码" },
  },
  {
    path: "/second-factor",
    name: "second-factor",
    component: () => import("@/console/signin/SecondFactorPage.vue"),
    meta: { title: "动态口令" },
  },
];
