// @vitest-environment happy-dom
import { mount } from "@vue/test-utils";
import { afterEach, expect, it, vi } from "vitest";
import { defineComponent, h, ref, type ComponentPublicInstance } from "vue";
import { useForm } from "@/composables/useForm";
import FormDialog from "@/components/FormDialog.vue";
import { eventually, press, settle } from "@/testing/fields";

afterEach(() => document.body.replaceChildren());

/** A dialog whose first field cannot be filled in, and the place where the focus is. */
async function opened() {
  const form = useForm({ isOpen: ref(true), values: () => ({}), onSuccess: () => undefined });
  const slot = () => [h("input", { disabled: true }), h("input", { name: "first" }), h("textarea", { name: "second" })];
  const page = defineComponent(() => () => h(FormDialog, { form, title: "修改", act: "保存" }, slot));
  const wrapper = mount(page, { attachTo: document.body, global: { stubs: { transition: true } } });
  await settle();
  const dialog = wrapper.findComponent({ name: "ElDialog" });
  return { dialog, focused: () => document.activeElement?.getAttribute("name") };
}

it("a dialog that has opened begins in the first field that can be filled in", async () => {
  const { dialog, focused } = await opened();
  expect(focused()).toBeNull();

  (dialog.vm as ComponentPublicInstance).$emit("opened");

  expect(focused()).toBe("first");
});

it("a dialog leaves who has begun to fill in another field there", async () => {
  const { dialog, focused } = await opened();
  document.querySelector<HTMLElement>("[name=second]")!.focus();

  (dialog.vm as ComponentPublicInstance).$emit("opened");

  expect(focused()).toBe("second");
});

it.each([
  ["false", false],
  ["true", true],
])("Escape in a list that keeps it to itself closes the dialog where the list is shut (expanded: %s)", async (expanded, staysOpen) => {
  const isOpen = ref(true);
  const form = useForm({ isOpen, values: () => ({}), onSuccess: () => undefined });
  const list = () => h("input", { "aria-expanded": expanded, onKeydown: (event: Event) => event.stopPropagation() });
  mount(
    defineComponent(() => () => h(FormDialog, { form, title: "修改", act: "保存" }, list)),
    { attachTo: document.body },
  );
  await settle();

  document.querySelector("[aria-expanded]")!.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  await settle();

  expect(isOpen.value).toBe(staysOpen);
});

it.each([
  ["取消", true],
  ["放弃", false],
])("a dialog asks before it drops what was filled in: %s", async (word, staysOpen) => {
  const isOpen = ref(true);
  const form = useForm({ isOpen, values: () => ({ name: "" }), onSuccess: () => undefined });
  mount(
    defineComponent(() => () => h(FormDialog, { form, title: "修改", act: "保存" })),
    { attachTo: document.body, global: { stubs: { transition: true } } },
  );
  await settle();
  form.values.name = "王芳";
  press("取消", ".el-dialog");
  await eventually(() => press(word, ".el-message-box"));
  await settle();

  expect(isOpen.value).toBe(staysOpen);
});

it("a dialog asks at Escape, too, and stays in sight where it is not left", async () => {
  const isOpen = ref(true);
  const form = useForm({ isOpen, values: () => ({ name: "" }), onSuccess: () => undefined });
  const wrapper = mount(
    defineComponent(() => () => h(FormDialog, { form, title: "修改", act: "保存" })),
    { attachTo: document.body, global: { stubs: { transition: true } } },
  );
  await settle();
  form.values.name = "王芳";
  const hide = vi.fn();
  void (wrapper.findComponent({ name: "ElDialog" }).props("beforeClose") as (hide: () => void) => Promise<void>)(hide);
  await eventually(() => press("取消", ".el-message-box"));
  await settle();

  expect([isOpen.value, hide.mock.calls.length]).toEqual([true, 0]);
});
