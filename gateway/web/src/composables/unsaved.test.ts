// Tests of what is filled in and not saved.
import { effectScope, nextTick, ref } from "vue";
import { expect, it } from "vitest";
import { unsaved } from "@/composables/unsaved";
import { useForm } from "@/composables/useForm";

it("a form is unsaved from its first change until it is changed back, closed or gone", async () => {
  const isOpen = ref(true);
  const scope = effectScope();
  const form = scope.run(() => useForm({ isOpen, values: () => ({ name: "王芳" }), onSuccess: () => undefined }))!;
  const now = () => [form.isDirty, unsaved.exists()];
  expect(now()).toEqual([false, false]);

  form.values.name = "王芳芳";
  expect(now()).toEqual([true, true]);
  form.values.name = "王芳";
  expect(now()).toEqual([false, false]);

  form.values.name = "王";
  form.close();
  await nextTick();
  expect(now()).toEqual([false, false]);
  isOpen.value = true;
  await nextTick();
  form.values.name = "王";
  scope.stop();
  expect(unsaved.exists()).toBe(false);
});
