// Where the focus goes in a form: to its first field, and to the first wrong one after it was submitted in vain.
import { watch } from "vue";
import type { Form } from "@/composables/useForm";

/** What the form items of Element Plus, the fields of Vant and plain fields look like where they are wrong. */
const WRONG = ".el-form-item.is-error, .van-field__error-message, [aria-invalid='true']";
const CONTROL = ["input:not([type=hidden])", "textarea", "select"].map((control) => `${control}:not([disabled])`).join(", ");

/** Moves the focus as the form is refused; where no field is wrong, back to the button that was disabled meanwhile. */
export function useFormFocus(root: () => Element | undefined, form: Form): { focusFirst: () => void } {
  let focused: Element | null = null;

  watch(
    () => form.isRunning,
    (runs) => {
      if (runs) focused = document.activeElement;
    },
    { flush: "sync" },
  );
  watch(
    () => form.refusals,
    () => {
      const wrong = firstWrong(root());
      if (wrong) wrong.focus();
      else if (document.activeElement === document.body && focused instanceof HTMLElement) focused.focus();
    },
    { flush: "post" },
  );

  /** Leaves the focus to a field that has it already. */
  function focusFirst(): void {
    if (!document.activeElement?.matches(CONTROL) || !root()?.contains(document.activeElement)) controlIn(root())?.focus();
  }

  return { focusFirst };
}

function firstWrong(root: Element | undefined): HTMLElement | undefined {
  for (const wrong of root?.querySelectorAll(WRONG) ?? []) {
    const control = controlIn(wrong.closest(".van-field") ?? wrong);
    if (control) return control;
  }
  return undefined;
}

function controlIn(place: Element | undefined): HTMLElement | undefined {
  if (place instanceof HTMLElement && place.matches(CONTROL)) return place;
  return place?.querySelector<HTMLElement>(CONTROL) ?? undefined;
}
