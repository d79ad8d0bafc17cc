// A list that the server pages: filters, page and size are in the URL, so that links and the back button work.
import { reactive, ref, watch, type Ref, type ShallowRef } from "vue";
import { useRoute, useRouter, type LocationQuery } from "vue-router";
import { useLatest } from "@/composables/useLatest";
import type { ApiProblem } from "@/api/problems";
import type { Page } from "@/api/types";

export const PAGE_SIZES = [20, 50, 100, 200];

export type Filters = Record<string, string>;

export interface ListPage<Row, Given extends Filters, Answer extends Page<Row>> {
  /** The values of the search form; they take effect by `search`. */
  form: Given;
  /** What the rows were asked by. */
  filters: Ref<Given>;
  page: Ref<number>;
  size: Ref<number>;
  answer: ShallowRef<Answer | undefined>;
  isLoading: Ref<boolean>;
  problem: ShallowRef<ApiProblem | undefined>;
  search: () => void;
  reset: () => void;
  goTo: (page: number, size?: number) => void;
  /** Requests the shown page again. */
  refresh: () => Promise<void>;
}

type FetchRows<Answer, Given> = (query: Partial<Given> & { page: number; size: number }, signal: AbortSignal) => Promise<Answer>;

/**
 * `empty` names all filters with their empty values; a reset leaves those that are `kept`.
 * Rows stay to be seen while the next ones come; an answer that was overtaken by a newer question is dropped.
 */
export function useListPage<Row, Given extends Filters, Answer extends Page<Row>>(
  empty: Given,
  fetchRows: FetchRows<Answer, Given>,
  kept: readonly (keyof Given)[] = [],
): ListPage<Row, Given, Answer> {
  const route = useRoute();
  const router = useRouter();
  const own = route.matched[0];
  const form = reactive({ ...empty }) as Given;
  const filters = ref({ ...empty }) as Ref<Given>;
  const page = ref(1);
  const size = ref(PAGE_SIZES[0]!);
  const { answer, problem, isLoading, run } = useLatest((signal) =>
    fetchRows({ ...withoutEmpty(filters.value), page: page.value, size: size.value }, signal),
  );

  function readAddress(query: LocationQuery): void {
    const read = readQuery(query, empty);
    filters.value = read.filters;
    Object.assign(form, read.filters);
    page.value = read.page;
    size.value = read.size;
  }

  async function refresh(): Promise<void> {
    const got = await run();
    if (got?.items.length === 0 && page.value > 1 && got.total > 0) goTo(Math.ceil(got.total / size.value));
  }

  function goTo(wanted: number, wantedSize: number = size.value): void {
    void router.push({ query: writeQuery(filters.value, wanted, wantedSize) });
  }

  function search(): void {
    const query = writeQuery(form, 1, size.value);
    if (JSON.stringify(query) === JSON.stringify(route.query)) void refresh();
    else void router.push({ query });
  }

  function reset(): void {
    Object.assign(form, empty, Object.fromEntries(kept.map((name) => [name, filters.value[name]])));
    search();
  }

  watch(
    () => route.query,
    (query) => {
      if (route.matched[0] !== own) return;
      readAddress(query);
      void refresh();
    },
    { immediate: true },
  );

  return { form, filters, page, size, answer, isLoading, problem, search, reset, goTo, refresh };
}

/** Filters, page and size out of an address; what makes no sense counts as not given. */
export function readQuery<Given extends Filters>(query: LocationQuery, empty: Given): { filters: Given; page: number; size: number } {
  const filters = { ...empty };
  for (const name of Object.keys(empty) as (keyof Given & string)[]) {
    const value = query[name];
    if (typeof value === "string") filters[name] = value as Given[typeof name];
  }
  const size = Number(query.size);
  return {
    filters,
    page: Math.max(1, Math.floor(Number(query.page)) || 1),
    size: PAGE_SIZES.includes(size) ? size : PAGE_SIZES[0]!,
  };
}

/** The query of the URL; empty and initial values are left out. */
export function writeQuery(filters: Filters, page: number, size: number): Record<string, string> {
  return {
    ...withoutEmpty(filters),
    ...(page > 1 ? { page: String(page) } : {}),
    ...(size !== PAGE_SIZES[0] ? { size: String(size) } : {}),
  };
}

function withoutEmpty<Given extends Filters>(filters: Given): Partial<Given> {
  return Object.fromEntries(
    Object.entries(filters)
      .map(([name, value]) => [name, value.trim()])
      .filter(([, value]) => value),
  ) as Partial<Given>;
}
