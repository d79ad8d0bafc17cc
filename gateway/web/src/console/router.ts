// The console's router. Each area declares its pages in `<area>/routes.ts`, with roles or as public.
import { createRouter, createWebHistory, type RouteMeta, type RouteRecordRaw } from "vue-router";
import { onNotSignedIn, onOtherAccount } from "@/api/client";
import { unsaved } from "@/composables/unsaved";
import { session, type PageRole } from "@/console/session";

declare module "vue-router" {
  interface RouteMeta {
    title: string;
    /** The roles that may use the page; absent for all signed-in accounts. */
    roles?: readonly PageRole[];
    isPublic?: boolean;
    /** Only for the city's union. */
    isOfTheCity?: boolean;
    /** Its entry in the side menu, for some of these roles if it says so; `order` also over the groups. */
    menu?: { group: string; order: number; roles?: readonly PageRole[] };
  }
}

const LONGEST_RESTORING_MS = 3000;

/** Where what has to be done before anything else is done. */
const STEPS = { password_change: "password", second_factor: "second-factor", second_factor_enrolment: "second-factor" };

const areas = import.meta.glob<{ routes: RouteRecordRaw[] }>("./*/routes.ts", { eager: true });
const routes = Object.values(areas).flatMap((area) => area.routes);

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    ...routes,
    {
      path: "/:path(.*)*",
      name: "nowhere",
      component: () => import("@/console/layout/NotFoundPage.vue"),
      meta: { title: "页面不存在" },
    },
  ],
  scrollBehavior: (to, from, saved) => {
    if (saved) return whenTallEnough(saved);
    return to.matched[0] === from.matched[0] ? undefined : { top: 0 };
  },
});

/** The pages of the menu that this account may use, in their groups. */
export function menu(): { group: string; pages: { title: string; path: string }[] }[] {
  const entries = routes
    .filter(({ meta }) => meta?.menu && mayUse(meta) && (!meta.menu.roles || session.has(...meta.menu.roles)))
    .sort((one, other) => one.meta!.menu!.order - other.meta!.menu!.order);
  const groups = new Map<string, { title: string; path: string }[]>();
  for (const { meta, path } of entries) {
    const pages = groups.get(meta!.menu!.group) ?? [];
    groups.set(meta!.menu!.group, [...pages, { title: meta!.title, path }]);
  }
  return [...groups].map(([group, pages]) => ({ group, pages }));
}

/** A page of this site to come back to after signing in; nothing else is followed. */
export function wayBack(given: unknown): string {
  return typeof given === "string" && /^\/(?![/\\])/.test(given) ? given : "/";
}

router.beforeEach(async (to) => {
  if (to.meta.isPublic) return true;
  const account = await session.find();
  if (!account) return { name: "sign-in", query: to.fullPath === "/" ? {} : { back: to.fullPath } };
  const step = account.next_step && STEPS[account.next_step];
  if (step && to.name !== step) return { name: step, query: { back: wayBack(to.query.back ?? to.fullPath) } };
  if (!mayUse(to.meta)) return { name: "nowhere", params: { path: to.path.slice(1).split("/") }, query: to.query };
  return true;
});

router.afterEach((to, from) => {
  if (to.path !== from.path) document.title = `${to.meta.title} · 上海工会网上工作平台`;
});

// A new build has replaced the files that this page would load: take the new page.
addEventListener("vite:preloadError", (event) => {
  event.preventDefault();
  location.reload();
});

onOtherAccount(() => session.stop("other_account"));
onNotSignedIn(() => {
  if (!session.account.value) return;
  if (unsaved.exists()) return session.stop("ended");
  session.end();
  void router.push({ name: "sign-in", query: { back: router.currentRoute.value.fullPath, ended: "1" } });
});

/** The way back ends where one was, as soon as the rows are there again. */
async function whenTallEnough(saved: { left: number; top: number }): Promise<{ left: number; top: number }> {
  const until = Date.now() + LONGEST_RESTORING_MS;
  const isTooShort = () => document.documentElement.scrollHeight < saved.top + innerHeight;
  while (isTooShort() && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  return saved;
}

function mayUse({ roles, isOfTheCity }: RouteMeta): boolean {
  if (isOfTheCity && session.account.value?.union.kind !== "city") return false;
  return !roles || session.has(...roles);
}
