// A list that the server pages: filters, order, page and size are in the URL, so that links and the back button work.
import { computed, reactive, ref, watch, type Ref, type ShallowRef } from "vue";
import { useRoute, useRouter, type LocationQuery } from "vue-router";
import { usePreference } from "@/composables/preferences";
import { useDelay } from "@/composables/useDelay";
import { useLatest } from "@/composables/useLatest";
import type { ApiProblem } from "@/api/problems";
import type { Page } from "@/api/types";

export const PAGE_SIZES = [20, 50, 100, 200];
const TYPED_AFTER_MS = 400;

export type Filters = Record<string, string>;
type Wrong<Given> = Partial<Record<keyof Given, string>>;

/** What a search form needs of its list. */
export interface Searchable {
  search: () => void;
  reset: () => void;
  /** Why a filter is wrong, in Chinese. */
  errorOf: (name: string) => string | undefined;
}

export interface ListPage<Row, Given extends Filters, Answer extends Page<Row>> extends Searchable {
  /** The values of the search form; they take effect by `search`. */
  form: Given;
  /** What the rows were asked by. */
  filters: Ref<Given>;
  /** The column that orders the rows, `-` before it for the greatest first; empty for the list's own order. */
  sort: Ref<string>;
  page: Ref<number>;
  size: Ref<number>;
  answer: ShallowRef<Answer | undefined>;
  isLoading: Ref<boolean>;
  problem: ShallowRef<ApiProblem | undefined>;
  /** The filters, whose reasons the search form tells. */
  fields: readonly string[];
  goTo: (page: number, size?: number) => void;
  /** Requests the shown page again. */
  refresh: () => Promise<void>;
}

interface Options<Given> {
  /** The names of filters that a reset leaves. */
  kept?: readonly (keyof Given)[];
  /** The orders that the server knows. */
  sorts?: readonly string[];
  /** Filters that search while one types, as soon as their value will do. */
  live?: Partial<Record<keyof Given, (value: string) => boolean>>;
  /** Why filters are wrong; such a search is not sent. */
  check?: (form: Given) => Wrong<Given>;
}

type FetchRows<Answer, Given> = (
  query: Partial<Given> & { page: number; size: number; sort?: string },
  signal: AbortSignal,
) => Promise<Answer>;

/**
 * `empty` names all filters with their empty values. Rows stay to be seen while the next ones come; an answer that was
 * overtaken by a newer question is dropped, and a search that failed leaves no rows of another one.
 */
export function useListPage<Row, Given extends Filters, Answer extends Page<Row>>(
  empty: Given,
  fetchRows: FetchRows<Answer, Given>,
  { kept = [], sorts = [], live = {}, check = () => ({}) }: Options<Given> = {},
): ListPage<Row, Given, Answer> {
  const route = useRoute();
  const router = useRouter();
  const own = route.matched[0];
  const usualSize = usePreference("list.size", PAGE_SIZES[0]!);
  const form = reactive({ ...empty }) as Given;
  const filters = ref({ ...empty }) as Ref<Given>;
  const sorted = ref("");
  const page = ref(1);
  const size = ref(usualSize.value);
  const wrong = ref<Wrong<Given>>({}) as Ref<Wrong<Given>>;
  const { answer, problem, isLoading, run } = useLatest((signal) =>
    fetchRows({ ...withoutEmpty(filters.value), page: page.value, size: size.value, ...(sorted.value && { sort: sorted.value }) }, signal),
  );
  let shownFor = "";

  function readAddress(query: LocationQuery): void {
    const read = readQuery(query, empty, usualSize.value);
    filters.value = read.filters;
    Object.assign(form, read.filters);
    page.value = read.page;
    size.value = read.size;
    sorted.value = sorts.includes(read.sort.replace(/^-/, "")) ? read.sort : "";
  }

  async function refresh(): Promise<void> {
    const asked = JSON.stringify([filters.value, sorted.value, page.value, size.value]);
    const got = await run();
    if (got) shownFor = asked;
    else if (problem.value && asked !== shownFor) answer.value = undefined;
    if (got?.items.length === 0 && page.value > 1 && got.total > 0) goTo(Math.ceil(got.total / size.value));
  }

  function address(of: Given, toPage = 1): Record<string, string> {
    return writeQuery(of, toPage, size.value, sorted.value, usualSize.value);
  }

  function go(query: Record<string, string>, replaces = false): void {
    if (JSON.stringify(query) === JSON.stringify(route.query)) {
      readAddress(query);
      void refresh();
    } else void router[replaces ? "replace" : "push"]({ query });
  }

  function goTo(wanted: number, wantedSize: number = size.value): void {
    size.value = usualSize.value = wantedSize;
    go(address(filters.value, wanted));
  }

  /** By typing, several searches are one step back. */
  function search(replaces = false): void {
    typing.cancel();
    isTyped = replaces;
    wrong.value = check(form);
    if (Object.values(wrong.value).some(Boolean)) return;
    go(address(form), replaces);
  }

  function reset(): void {
    Object.assign(form, empty, Object.fromEntries(kept.map((name) => [name, filters.value[name]])));
    search();
  }

  const typing = useDelay(TYPED_AFTER_MS);
  let isTyped = false;
  for (const [name, isEnough] of Object.entries(live) as [keyof Given, (value: string) => boolean][]) {
    watch(
      () => form[name] ?? "",
      (value) => {
        const typed = value.trim();
        typing.cancel();
        if (typed === (filters.value[name] ?? "").trim() || (typed && !isEnough(typed))) return;
        const wasTyped = isTyped;
        typing.later(() => {
          search(wasTyped);
          isTyped = true;
        });
      },
    );
  }
  watch(form, () => (wrong.value = {}));

  watch(
    () => route.query,
    (query, earlier) => {
      if (route.matched[0] !== own || JSON.stringify(query) === JSON.stringify(earlier)) return;
      readAddress(query);
      void refresh();
    },
    { immediate: true },
  );

  const sort = computed({
    get: () => sorted.value,
    set: (wanted) => {
      sorted.value = wanted;
      go(address(filters.value));
    },
  });

  return {
    form,
    filters,
    sort,
    page,
    size,
    answer,
    isLoading,
    problem,
    fields: Object.keys(empty),
    errorOf: (name) => wrong.value[name] || problem.value?.reasonFor(name),
    search: () => search(),
    reset,
    goTo,
    refresh,
  };
}

/** Filters, page and size out of an address; what makes no sense counts as not given. */
export function readQuery<Given extends Filters>(
  query: LocationQuery,
  empty: Given,
  usualSize: number = PAGE_SIZES[0]!,
): { filters: Given; page: number; size: number; sort: string } {
  const filters = { ...empty };
  for (const name of Object.keys(empty) as (keyof Given & string)[]) {
    const value = query[name];
    if (typeof value === "string") filters[name] = value as Given[typeof name];
  }
  const size = Number(query.size);
  return {
    filters,
    page: Math.max(1, Math.floor(Number(query.page)) || 1),
    size: PAGE_SIZES.includes(size) ? size : usualSize,
    sort: typeof query.sort === "string" ? query.sort : "",
  };
}

/** The query of the URL; empty and usual values are left out. */
export function writeQuery(
  filters: Filters,
  page: number,
  size: number,
  sort = "",
  usualSize: number = PAGE_SIZES[0]!,
): Record<string, string> {
  return {
    ...withoutEmpty(filters),
    ...(page > 1 ? { page: String(page) } : {}),
    ...(size !== usualSize ? { size: String(size) } : {}),
    ...(sort ? { sort } : {}),
  };
}

function withoutEmpty<Given extends Filters>(filters: Given): Partial<Given> {
  return Object.fromEntries(
    Object.entries(filters)
      .map(([name, value]) => [name, value.trim()])
      .filter(([, value]) => value),
  ) as Partial<Given>;
}
