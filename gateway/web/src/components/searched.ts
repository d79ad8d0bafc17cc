// What a search form tells its fields.
import type { InjectionKey } from "vue";

/** Why a filter is wrong, in Chinese. */
export const SEARCHED: InjectionKey<(name: string) => string | undefined> = Symbol("searched");
