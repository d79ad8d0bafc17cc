// The large type of the phone pages 大字版: kept on this phone, for whoever uses it.
import { ref } from "vue";

const KEPT = "large-type";
export const isLarge = ref(false);

/** As it was chosen on this phone before. */
export function showKeptType(): void {
  try {
    show(localStorage.getItem(KEPT) === "yes");
  } catch {
    show(false); // a browser that keeps nothing
  }
}

export function chooseType(large: boolean): void {
  show(large);
  try {
    localStorage.setItem(KEPT, large ? "yes" : "no");
  } catch {
    // It lasts as long as the page.
  }
}

function show(large: boolean): void {
  isLarge.value = large;
  document.documentElement.classList.toggle("large", large);
}
