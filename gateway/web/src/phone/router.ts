// The phone's router, in the order of an application. All pages but the first need a session.
import { createRouter, createWebHistory } from "vue-router";
import { answer, api, onNotSignedIn } from "@/api/client";
import { member } from "@/phone/member";

declare module "vue-router" {
  interface RouteMeta {
    /** The place among the steps of an application. */
    step?: number;
    /** Beside the application, for every member. */
    isBeside?: boolean;
  }
}

export const router = createRouter({
  history: createWebHistory("/m/"),
  routes: [
    { path: "/", name: "start", component: () => import("@/phone/StartPage.vue"), meta: { title: "申请办卡", isPublic: true } },
    { path: "/profile", name: "profile", component: () => import("@/phone/ProfilePage.vue"), meta: { title: "会员信息梳理", step: 0 } },
    { path: "/outlet", name: "outlet", component: () => import("@/phone/OutletPage.vue"), meta: { title: "选择经办网点", step: 1 } },
    { path: "/confirm", name: "confirm", component: () => import("@/phone/ConfirmPage.vue"), meta: { title: "同意并确认", step: 2 } },
    { path: "/progress", name: "progress", component: () => import("@/phone/ProgressPage.vue"), meta: { title: "办理进度", step: 3 } },
    {
      path: "/enrolments",
      name: "enrolments",
      component: () => import("@/phone/EnrolmentsPage.vue"),
      meta: { title: "我的参保", isBeside: true },
    },
    { path: "/messages", name: "messages", component: () => import("@/phone/MessagesPage.vue"), meta: { title: "消息", isBeside: true } },
    { path: "/:path(.*)*", redirect: "/" },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

/** The next page of a member: the progress of an application, also of a refused one; else the application. */
export async function nextPage(): Promise<{ name: string }> {
  if (member.profile.value?.card_state !== "none") return { name: "progress" };
  const { items } = await answer(api.GET("/api/v1/personal/applications"));
  return { name: items.length ? "progress" : "profile" };
}

router.beforeEach(async (to) => {
  const known = member.profile.value ?? (await member.find());
  if (to.meta.isPublic) return known && !to.query.ended ? nextPage() : true;
  if (!known) return { name: "start" };
  if (to.meta.isBeside) return true;
  if (known.card_state !== "none" && to.name !== "progress") return { name: "progress" };
  if (to.name === "confirm" && !member.outlet.value) return { name: "outlet" };
  return true;
});

router.afterEach((to) => (document.title = `${to.meta.title} · 申工社`));

// A new build has replaced the files that this page would load: take the new page.
addEventListener("vite:preloadError", (event) => {
  event.preventDefault();
  location.reload();
});

onNotSignedIn(() => {
  if (!member.profile.value) return;
  member.forget();
  void router.push({ name: "start", query: { ended: "1" } });
});
