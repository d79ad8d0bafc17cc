// Keyboard shortcuts of the console: what each key does, unless one is typing or a question is open.

export interface Shortcut {
  /** One key, or two after one another. */
  keys: readonly string[];
  what: string;
  act: () => void;
}

const TYPING = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]";
const LONGEST_BETWEEN_MS = 1500;

/** Follows keys; `shortcuts` and whether they are wanted are asked anew for each. Returns what ends it. */
export function followKeys(shortcuts: () => readonly Shortcut[], areWanted: () => boolean): () => void {
  let first = "";
  let at = 0;

  function follow(event: KeyboardEvent): void {
    const { key, target } = event;
    const isElsewhere = event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing;
    if (isElsewhere || !areWanted() || (target instanceof Element && target.matches(TYPING))) return;
    const before = Date.now() - at < LONGEST_BETWEEN_MS ? first : "";
    const named = (name: string) => shortcuts().find(({ keys }) => keys.join(" ") === name);
    const found = (before && named(`${before} ${key}`)) || named(key);
    [first, at] = found || key === "Shift" ? ["", 0] : [key, Date.now()];
    if (!found) return;
    event.preventDefault();
    found.act();
  }

  addEventListener("keydown", follow);
  return () => removeEventListener("keydown", follow);
}

/** Presses the first button that can be pressed, by its word, in the front-most place that has it. */
export function pressButton(word: string, ...places: readonly string[]): void {
  for (const place of places) {
    const buttons = [...document.querySelectorAll<HTMLButtonElement>(`${place} button:not([disabled])`)];
    const button = buttons.find((one) => one.textContent.trim() === word || one.getAttribute("aria-label") === word);
    if (button) return button.click();
  }
}
