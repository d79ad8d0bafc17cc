// A list with "load more", for lists without a last page; its filters are in the URL.
import { reactive, ref, shallowRef, watch } from "vue";
import { useRoute, useRouter } from "vue-router";
import { useLatest } from "@/composables/useLatest";
import { readQuery, writeQuery, type Filters } from "@/composables/useListPage";

const ROWS = 50;

interface Part<Row> {
  items: Row[];
  /** The cursor of the next part; absent at the end. */
  before: string | null;
}

type FetchRows<Row, Given> = (query: Partial<Given> & { size: number; before?: string }, signal: AbortSignal) => Promise<Part<Row>>;

/** `empty` names all filters with their empty values; an answer that was overtaken by a newer question is dropped. */
export function useEndlessList<Row, Given extends Filters>(empty: Given, fetchRows: FetchRows<Row, Given>) {
  const route = useRoute();
  const router = useRouter();
  const own = route.matched[0];
  const form = reactive({ ...empty }) as Given;
  let filters = { ...empty };
  const rows = shallowRef<Row[]>();
  const before = ref<string | null>(null);
  const { problem, isLoading, run } = useLatest((signal, from: string | undefined) => {
    const given = writeQuery(filters, 1, 20) as Partial<Given>;
    return fetchRows({ ...given, size: ROWS, ...(from ? { before: from } : {}) }, signal);
  });

  async function read(from?: string): Promise<void> {
    const part = await run(from);
    if (!part) return;
    rows.value = from ? [...(rows.value ?? []), ...part.items] : part.items;
    before.value = part.before;
  }

  function search(): void {
    const query = writeQuery(form, 1, 20);
    if (JSON.stringify(query) === JSON.stringify(route.query)) void read();
    else void router.push({ query });
  }

  function reset(): void {
    Object.assign(form, empty);
    search();
  }

  watch(
    () => route.query,
    (query, earlier) => {
      if (route.matched[0] !== own || JSON.stringify(query) === JSON.stringify(earlier)) return;
      filters = readQuery(query, empty).filters;
      Object.assign(form, filters);
      rows.value = undefined;
      void read();
    },
    { immediate: true },
  );

  return {
    form,
    rows,
    problem,
    isLoading,
    fields: Object.keys(empty),
    errorOf: (name: string) => problem.value?.reasonFor(name),
    search,
    reset,
    hasMore: before,
    more: () => (before.value ? read(before.value) : undefined),
    refresh: () => read(),
  };
}
