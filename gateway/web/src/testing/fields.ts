// Fields and buttons of a page under test, found by their labels and words, as people find them.
import { flushPromises, type VueWrapper } from "@vue/test-utils";
import { vi } from "vitest";
import type { ComponentPublicInstance } from "vue";

export type Values = Record<string, unknown>;

const INPUTS = ["ElSelect", "ElDatePicker", "ElRadioGroup", "ElCheckboxGroup", "ElInputNumber", "ElCheckbox", "DateWheels"];
const NATIVE = "input:not([type=radio]):not([type=checkbox]), textarea";

export function fieldsOf(wrapper: VueWrapper) {
  const items = () => [...wrapper.findAllComponents({ name: "ElFormItem" }), ...wrapper.findAllComponents({ name: "van-field" })];
  const errorOf = (item: ReturnType<typeof items>[number]) => (item.props("error") || item.props("errorMessage") || "") as string;

  function inputOf(label: string) {
    const item = items().find((one) => one.props("label") === label);
    if (!item) throw new Error(`no field ${label}`);
    const control = INPUTS.map((name) => item.findComponent({ name })).find((found) => found.exists());
    return { native: item.find<HTMLInputElement>(NATIVE), control };
  }

  return {
    valuesOf: (fields: Values): Values => {
      return Object.fromEntries(
        Object.keys(fields).map((label) => {
          const { native, control } = inputOf(label);
          return [label, control ? (control.props("modelValue") as unknown) : native.element.value];
        }),
      );
    },
    fill: async (values: Values) => {
      for (const [label, value] of Object.entries(values)) {
        const { native, control } = inputOf(label);
        if (control) (control.vm as ComponentPublicInstance).$emit("update:modelValue", value);
        else await native.setValue(value);
      }
      await settle();
    },
    leave: async (label: string) => {
      await inputOf(label).native.trigger("blur");
      await settle();
    },
    /** By label; what is told beside a plain field is found under nothing. */
    reasons: (): Record<string, string> => {
      const told = items().map((item) => [(item.props("label") ?? "") as string, errorOf(item)] as const);
      const beside = [...document.querySelectorAll("p.wrong[role=alert], p.bad[role=alert]")].map(
        (told) => ["", told.textContent] as const,
      );
      return Object.fromEntries([...told, ...beside].filter(([, reason]) => reason));
    },
    /** The label of the field that has the focus. */
    focused: (): string | undefined => {
      const item = document.activeElement?.closest(".el-form-item, .van-field, label, [role=radiogroup]");
      const label = item?.querySelector(".el-form-item__label, .van-field__label")?.textContent;
      return label ?? item?.getAttribute("aria-label") ?? item?.textContent.trim();
    },
  };
}

/** Presses a button by its word, or by what it is called where it shows none. */
export function press(word: string, within = "body"): void {
  const buttons = [...document.querySelectorAll<HTMLElement>(`${within} button`)];
  const button = buttons.find((one) => one.textContent.trim() === word || one.getAttribute("aria-label") === word);
  if (!button) throw new Error(`no button ${word}`);
  button.click();
}

/** Until it holds; generous, since what is told of a field fades in. */
export function eventually(expectation: () => unknown): Promise<unknown> {
  return vi.waitFor(expectation, { timeout: 30_000 });
}

/** Until answers have come and what follows them is drawn. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await flushPromises();
    await new Promise((resolve) => setTimeout(resolve));
  }
}
