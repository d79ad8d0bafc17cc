// The columns of a `DataTable`.

export interface Column {
  key: string;
  title: string;
  width?: number;
  align?: "left" | "right";
  /** Stays in sight at the right edge. */
  isSticky?: boolean;
}
