// The session of the signed-in account. A browser has one for all of its tabs.
import { computed, ref, shallowRef } from "vue";
import { answer, api, workFor } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import type { Account } from "@/api/types";
import { forgetKept } from "@/composables/kept";
import { forgetPreferences, loadPreferences } from "@/composables/preferences";
import { startUpdates, stopUpdates } from "@/live/updates";
import type { ROLES } from "@/locales/terms";

export type Role = keyof typeof ROLES;
/** A role that pages are for: of the account, or that of a deputy today. */
export type PageRole = Role | "deputy";
/** Why the page stands still: it is another account's, or its session has ended while something was filled in. */
export type Standstill = "other_account" | "ended";

const account = shallowRef<Account>();
const standstill = ref<Standstill>();
let wasAsked = false;
let preferences: Promise<void> | undefined;

export const session = {
  account: computed(() => account.value),
  standstill: computed(() => standstill.value),

  has(...roles: readonly PageRole[]): boolean {
    if (roles.includes("deputy") && account.value?.deputy_for.length) return true;
    return account.value?.roles.some((role) => (roles as readonly string[]).includes(role)) ?? false;
  },

  /** Loads the signed-in account, once. Throws ApiProblem when the system is away. */
  async find(): Promise<Account | undefined> {
    if (wasAsked) {
      await preferences;
      return account.value;
    }
    try {
      session.begin(await answer(api.GET("/api/v1/me")));
    } catch (error) {
      if (!(error instanceof ApiProblem && error.status === 401)) throw error;
    }
    wasAsked = true;
    await preferences;
    return account.value;
  },

  /** From now on this account uses the page. */
  begin(signedIn: Account): void {
    account.value = signedIn;
    wasAsked = true;
    workFor(signedIn.account_id);
    if (signedIn.next_step) return;
    startUpdates();
    preferences ??= loadPreferences();
  },

  /** Forgets the session. */
  end(): void {
    stopUpdates();
    forgetKept();
    forgetPreferences();
    preferences = undefined;
    account.value = undefined;
    standstill.value = undefined;
    workFor(undefined);
  },

  /** Does nothing more for the account, whose page stays as it is. */
  stop(why: Standstill): void {
    if (!account.value || standstill.value === "other_account") return;
    stopUpdates();
    standstill.value = why;
  },

  /**
   * Asks whose session it is now: for the same account a page that stood still goes on, another one's stops (the client
   * calls `onOtherAccount`). No use of the session: it may end meanwhile.
   */
  async ask(): Promise<void> {
    if (!account.value || standstill.value === "other_account") return;
    try {
      await answer(api.GET("/api/v1/me", { headers: { "X-Background": "1" } }));
    } catch {
      return;
    }
    if (standstill.value === "ended") {
      standstill.value = undefined;
      startUpdates();
    }
  },

  async signOut(): Promise<void> {
    await answer(api.DELETE("/api/v1/sessions/current"));
    session.end();
  },
};

/** Somebody may have signed in in another tab meanwhile; its end of the stream is seen, but not by a tab that slept. */
export function askWhenSeen(): void {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void session.ask();
  });
}
