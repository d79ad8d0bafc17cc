// Which unions a list shows to a superior: one's own, one below it, either alone or with all below. Others see their own.
import { computed } from "vue";
import { session } from "@/console/session";

/** The filters of such a list; `below` is empty for the usual: with all below. */
export const UNION_FILTERS = { union_id: "", below: "" };

interface Chosen {
  union_id: string;
  below: string;
}

interface Asked {
  union_id?: string;
  with_subordinates?: boolean;
}

export function useUnionScope() {
  const union = session.account.value!.union;
  /** Known to the end of the page, which may outlive the session for a moment. */
  const own = computed(() => session.account.value?.union ?? union);
  /** Whether there is anything below that this account may see. */
  const looksDown = computed(() => session.has("reviewer", "administrator") && own.value.kind !== "grassroots");

  const isWithBelow = ({ below }: Chosen): boolean => looksDown.value && below !== "false";

  /** Whether only one's own union is shown: acts are for its members alone. */
  const isOwnAlone = (chosen: Chosen): boolean =>
    !looksDown.value || (!isWithBelow(chosen) && (!chosen.union_id || chosen.union_id === own.value.union_id));

  /** The list's filters as the API takes them, without empty ones. */
  function asAsked<Given extends object>(filters: Given): Omit<Given, "union_id" | "below"> & Asked {
    const { union_id = "", below = "", ...others } = filters as Given & Partial<Chosen>;
    const given = Object.fromEntries(Object.entries(others).filter(([, value]) => value !== ""));
    const unions = { union_id: union_id || own.value.union_id, with_subordinates: isWithBelow({ union_id, below }) };
    return { ...given, ...(looksDown.value && unions) } as Omit<Given, "union_id" | "below"> & Asked;
  }

  return { own, looksDown, isWithBelow, isOwnAlone, asAsked };
}
