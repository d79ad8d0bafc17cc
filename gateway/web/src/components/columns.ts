// The columns of a `DataTable`.

export interface Column {
  key: string;
  title: string;
  width?: number;
  align?: "left" | "right";
  /** A moment, which stays in one line. */
  isTime?: boolean;
  /** Stays in sight at the right edge. */
  isSticky?: boolean;
}
