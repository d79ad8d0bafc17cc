// What a person chose on the pages, such as columns and page size: kept by the server with the account, by name.
import { computed, shallowReactive, type WritableComputedRef } from "vue";
import { newKey } from "@/composables/useMutation";
import { answer, api } from "@/api/client";

const SAVED_AFTER_MS = 800;
const values = shallowReactive(new Map<string, unknown>());
const timers = new Map<string, ReturnType<typeof setTimeout>>();

/** Loads what the signed-in account has kept; pages do without it where the system is away. */
export async function loadPreferences(): Promise<void> {
  try {
    const { items } = await answer(api.GET("/api/v1/me/preferences"));
    for (const { name, value } of items) if (!values.has(name)) values.set(name, JSON.parse(value));
  } catch (error) {
    console.warn("preferences were not loaded", error);
  }
}

/** Forgets them all; the next account has its own. */
export function forgetPreferences(): void {
  timers.forEach(clearTimeout);
  timers.clear();
  values.clear();
}

/** Saves at once what has not settled; for a page that is left. */
export function saveUnsettled(): void {
  timers.forEach((timer, name) => {
    clearTimeout(timer);
    void save(name);
  });
}

/** A value that takes effect at once, and is saved when it has settled. */
export function usePreference<Value>(name: string, initial: Value): WritableComputedRef<Value> {
  return computed({
    get: () => (values.has(name) ? (values.get(name) as Value) : initial),
    set: (value) => {
      values.set(name, value);
      clearTimeout(timers.get(name));
      timers.set(
        name,
        setTimeout(() => void save(name), SAVED_AFTER_MS),
      );
    },
  });
}

async function save(name: string): Promise<void> {
  timers.delete(name);
  try {
    const params = { header: { "Idempotency-Key": newKey() } };
    const body = { name, value: JSON.stringify(values.get(name)) };
    await answer(api.POST("/api/v1/me/preferences", { params, body, keepalive: true }));
  } catch (error) {
    console.warn(`the preference ${name} was not saved`, error);
  }
}
