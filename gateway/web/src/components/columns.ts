// The columns of a `DataTable`, and what a person chose of them.

export interface Column {
  key: string;
  title: string;
  width?: number;
  align?: "left" | "right";
  /** A moment, which stays in one line. */
  isTime?: boolean;
  /** Stays in sight at the right edge. */
  isSticky?: boolean;
  /** What the server calls the order by this column, where it means one. */
  sort?: string;
}

export interface ColumnChoice {
  /** The keys of columns that are not shown. */
  hidden: readonly string[];
  /** In pixels, by key. */
  widths: Readonly<Record<string, number>>;
  isDense: boolean;
}

export const NO_CHOICE: ColumnChoice = { hidden: [], widths: {}, isDense: false };
const NARROWEST = 56;
const WIDEST = 640;
/** `2026-11-25 15:02` with the cell's padding. */
const TIME_WIDTH = 138;

/** Those to show: what stays in sight always is. */
export function shownColumns(columns: readonly Column[], { hidden }: ColumnChoice): Column[] {
  return columns.filter(({ key, isSticky }) => isSticky || !hidden.includes(key));
}

export function widthOf({ key, width, isTime }: Column, { widths }: ColumnChoice): number | undefined {
  return widths[key] ?? width ?? (isTime ? TIME_WIDTH : undefined);
}

export function widened(choice: ColumnChoice, { key }: Column, width: number): ColumnChoice {
  return { ...choice, widths: { ...choice.widths, [key]: Math.round(Math.min(WIDEST, Math.max(NARROWEST, width))) } };
}

/** The order by a column that comes after `sort` when its head is pressed: smallest first, greatest first, as before. */
export function nextSort(sort: string, name: string): string {
  if (sort === name) return `-${name}`;
  return sort === `-${name}` ? "" : name;
}

export function directionOf(sort: string, name: string | undefined): "ascending" | "descending" | "none" {
  if (!name || (sort !== name && sort !== `-${name}`)) return "none";
  return sort === name ? "ascending" : "descending";
}

/** The orders that a list's columns offer. */
export function sortsOf(columns: readonly Column[]): string[] {
  return columns.flatMap(({ sort }) => sort ?? []);
}
