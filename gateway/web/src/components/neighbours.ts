// The rows of a list, for their details to lead from one to the next.
import type { RouteLocationRaw } from "vue-router";

export interface Neighbour {
  /** What the row is known by. */
  key: string;
  to: RouteLocationRaw;
}
