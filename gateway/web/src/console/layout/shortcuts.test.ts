// @vitest-environment happy-dom
// Tests of keyboard shortcuts: which keys act, and when none does.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { followKeys } from "@/console/layout/shortcuts";

const acts = { slash: vi.fn(), members: vi.fn() };
let end = () => undefined as void;
let areWanted = true;

function press(key: string, target: Element = document.body, more: object = {}): void {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

beforeEach(() => {
  areWanted = true;
  end = followKeys(
    () => [
      { keys: ["/"], what: "", act: acts.slash },
      { keys: ["g", "1"], what: "", act: acts.members },
    ],
    () => areWanted,
  );
});
afterEach(() => {
  end();
  document.body.replaceChildren();
  Object.values(acts).forEach((act) => act.mockReset());
});

describe("a shortcut", () => {
  it("acts at its key, and at two keys after one another", () => {
    press("/");
    press("g");
    press("1");
    press("1");
    expect([acts.slash.mock.calls.length, acts.members.mock.calls.length]).toEqual([1, 1]);
  });

  it("acts although another key was pressed just before", () => {
    for (const earlier of ["?", "g", "x"]) {
      press(earlier);
      press("/");
    }
    expect(acts.slash).toHaveBeenCalledTimes(3);
  });

  it("does nothing while one types", () => {
    for (const field of ["input", "textarea"]) {
      const typed = document.body.appendChild(document.createElement(field));
      press("/", typed);
    }
    expect(acts.slash).not.toHaveBeenCalled();
  });

  it("leaves the browser's own alone", () => {
    press("/", document.body, { ctrlKey: true });
    press("/", document.body, { altKey: true });
    expect(acts.slash).not.toHaveBeenCalled();
  });

  it("does nothing where it is not wanted, nor after its page has gone", () => {
    areWanted = false;
    press("/");
    areWanted = true;
    end();
    press("/");
    expect(acts.slash).not.toHaveBeenCalled();
  });
});
