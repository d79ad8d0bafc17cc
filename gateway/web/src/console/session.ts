// The session of the signed-in account.
import { computed, shallowRef } from "vue";
import { answer, api } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import type { Account } from "@/api/types";
import { startUpdates, stopUpdates } from "@/live/updates";
import type { ROLES } from "@/locales/terms";

export type Role = keyof typeof ROLES;

const account = shallowRef<Account>();
let wasAsked = false;

export const session = {
  account: computed(() => account.value),

  has(...roles: readonly Role[]): boolean {
    return account.value?.roles.some((role) => (roles as readonly string[]).includes(role)) ?? false;
  },

  /** Loads the signed-in account, once. Throws ApiProblem when the system is away. */
  async find(): Promise<Account | undefined> {
    if (wasAsked) return account.value;
    try {
      session.begin(await answer(api.GET("/api/v1/me")));
    } catch (error) {
      if (!(error instanceof ApiProblem && error.status === 401)) throw error;
    }
    wasAsked = true;
    return account.value;
  },

  /** From now on this account uses the page. */
  begin(signedIn: Account): void {
    account.value = signedIn;
    wasAsked = true;
    if (!signedIn.next_step) startUpdates();
  },

  /** Forgets the session. */
  end(): void {
    stopUpdates();
    account.value = undefined;
  },

  async signOut(): Promise<void> {
    await answer(api.DELETE("/api/v1/sessions/current"));
    session.end();
  },
};
