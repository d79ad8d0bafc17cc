// The signed-in member, and the outlet chosen for the current application.
import { computed, shallowRef } from "vue";
import { answer, api } from "@/api/client";
import { ApiProblem } from "@/api/problems";
import type { Outlet, Profile } from "@/api/types";

const CHOSEN = "chosen-outlet";
const profile = shallowRef<Profile>();
const outlet = shallowRef<Outlet | undefined>(readOutlet());

export const member = {
  profile: computed(() => profile.value),
  outlet: computed(() => outlet.value),

  /** Loads the profile again; undefined without a session. Throws ApiProblem when the system is away. */
  async find(): Promise<Profile | undefined> {
    try {
      profile.value = await answer(api.GET("/api/v1/personal/profile"));
    } catch (error) {
      if (!(error instanceof ApiProblem && error.status === 401)) throw error;
      profile.value = undefined;
    }
    return profile.value;
  },

  keep(known: Profile): void {
    profile.value = known;
  },

  /** Kept while this tab is open, so that a reload loses nothing. */
  choose(chosen: Outlet): void {
    outlet.value = chosen;
    sessionStorage.setItem(CHOSEN, JSON.stringify(chosen));
  },

  async signOut(): Promise<void> {
    await answer(api.DELETE("/api/v1/sessions/current"));
    member.forget();
  },

  /** Forgets the session, so that the next member on this phone sees nothing of it. */
  forget(): void {
    profile.value = undefined;
    outlet.value = undefined;
    sessionStorage.removeItem(CHOSEN);
  },
};

function readOutlet(): Outlet | undefined {
  const kept = sessionStorage.getItem(CHOSEN);
  const outlet = kept ? (JSON.parse(kept) as Outlet) : undefined;
  return outlet && "counting" in outlet ? outlet : undefined; // one that an earlier release kept is chosen again
}
