// What every dialog with a form does, as tests: `describeDialog` says of one what it holds, refuses, sends and tells.
import { mount, type VueWrapper } from "@vue/test-utils";
import { ElMessage } from "element-plus";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { defineComponent, h, reactive, type Component } from "vue";
import { fakeApi, signIn } from "@/testing/fakeApi";
import { fieldsOf, settle, type Values } from "@/testing/fields";

export interface DialogCase {
  dialog: Component;
  props?: Values;
  /** How it opens: by `v-model`, by being there, or by the prop that it is about. */
  opensBy: "model" | "presence" | "entry" | "what" | "time";
  reads?: Record<string, unknown>;
  title: string;
  /** What fields hold at first, by label. */
  shows: Values;
  /** What opens fields that are not there at first. */
  prepares?: (dialog: OpenDialog) => unknown;
  /** What to empty before sending, and the reasons that are shown then. */
  empties?: Values;
  refuses?: Record<string, string>;
  /** What is filled in, by label. */
  fills: Values;
  /** What is ticked or pressed besides. */
  alsoDoes?: (dialog: OpenDialog) => Promise<void>;
  sends: { method: string; path: string; body: unknown; isUnderKey?: boolean };
  answer: unknown;
  /** A field as the API names it, and the label under which its reason is shown. */
  problemAt?: [field: string, label: string];
  tells?: string;
  emits?: string;
}

export type OpenDialog = Awaited<ReturnType<typeof openDialog>>;

/** What Element Plus's lists and calendars do is theirs to test, and takes most of the time. */
const STUBS = { RouterLink: true, transition: true, ElSelect: true, ElDatePicker: true };
let mounted: VueWrapper | undefined;

export function describeDialog(name: string, dialog: DialogCase): void {
  describe(name, () => {
    beforeEach(() => signIn());
    afterEach(closeAll);

    it("opens with its values, and refuses what is missing", async () => {
      const open = await openDialog(dialog);
      expect(open.title()).toBe(dialog.title);
      expect(open.valuesOf(dialog.shows)).toEqual(dialog.shows);

      if (!dialog.refuses) return;
      await dialog.prepares?.(open);
      await settle();
      await open.fill(dialog.empties ?? {});
      await open.send();

      expect(open.reasons()).toEqual(dialog.refuses);
      expect(open.api.commands).toEqual([]);
      expect(open.isClosed()).toBe(false);
    });

    it("shows a problem at its field, and begins anew at the next opening", async () => {
      const open = await openDialog(dialog);
      const [field, label] = dialog.problemAt ?? ["other", undefined];
      open.api.refuse(422, { field, reason: "银行不接受" });
      await complete(open, dialog);

      expect(open.reasons()).toEqual(label ? { [label]: "银行不接受" } : {});
      if (!label) expect(open.text()).toContain("银行不接受");
      expect(open.text()).toContain("请求未被接受");
      expect(open.isClosed()).toBe(false);
      if (dialog.opensBy === "presence") return;

      await open.reopen();
      expect(open.reasons()).toEqual({});
      expect(open.text()).not.toContain("请求未被接受");
      expect(open.valuesOf(dialog.shows)).toEqual(dialog.shows);
    });

    it("sends what was filled in under its key, closes and tells", async () => {
      const open = await openDialog(dialog);
      open.api.answer(dialog.answer);
      await complete(open, dialog);

      const { isUnderKey = true, ...command } = dialog.sends;
      expect(open.api.commands).toEqual([{ ...command, key: isUnderKey ? expect.stringMatching(/^[0-9a-f]{32}/) : null }]);
      expect(open.isClosed()).toBe(true);
      if (dialog.tells) expect(open.text()).toContain(dialog.tells);
      if (dialog.emits) expect(open.emitted(dialog.emits)).toHaveLength(1);
    });
  });
}

/** Mounts a dialog and opens it; its fields are found by their labels, as people find them. */
export async function openDialog({ dialog, props = {}, opensBy, reads }: DialogCase) {
  const api = fakeApi(reads);
  const isByProp = opensBy !== "model" && opensBy !== "presence";
  const state = reactive<Values>({
    ...props,
    ...(opensBy === "model" && { modelValue: false, "onUpdate:modelValue": (opens: boolean) => (state.modelValue = opens) }),
    ...(isByProp && { [opensBy]: undefined, onClose: () => (state[opensBy] = undefined) }),
  });
  const wrapper = mount(
    defineComponent(() => () => h(dialog, state)),
    {
      attachTo: document.body,
      global: { stubs: STUBS, mocks: { $router: { push: vi.fn() } } },
    },
  );
  mounted = wrapper;
  const inner = wrapper.findComponent(dialog);

  async function show(): Promise<void> {
    if (opensBy === "model") state.modelValue = true;
    if (isByProp) state[opensBy] = props[opensBy];
    await settle();
  }

  async function reopen(): Promise<void> {
    if (opensBy === "model") state.modelValue = false;
    if (isByProp) state[opensBy] = undefined;
    await settle();
    await show();
  }

  await show();
  return {
    ...fieldsOf(wrapper),
    api,
    wrapper,
    reopen,
    title: () => wrapper.findComponent({ name: "ElDialog" }).props("title") as string,
    text: () => document.body.textContent,
    send: async () => {
      await wrapper.findComponent({ name: "ElForm" }).trigger("submit");
      await settle();
    },
    tick: async (selector: string) => {
      await wrapper.findComponent({ name: "ElForm" }).find(selector).setValue(true);
      await settle();
    },
    press: async (word: string) => {
      await wrapper
        .findAllComponents({ name: "ElButton" })
        .find((button) => button.text() === word)!
        .trigger("click");
      await settle();
    },
    emitted: (event: string) => inner.emitted(event) ?? [],
    isClosed: () => inner.emitted("close") !== undefined || inner.emitted("update:modelValue")?.slice(-1)[0]?.[0] === false,
  };
}

async function complete(open: OpenDialog, { prepares, fills, alsoDoes }: DialogCase): Promise<void> {
  await prepares?.(open);
  await settle();
  await open.fill(fills);
  await alsoDoes?.(open);
  await open.send();
}

/** Messages too: one that is still there is not told again. */
async function closeAll(): Promise<void> {
  mounted?.unmount();
  ElMessage.closeAll();
  await settle();
  document.body.replaceChildren();
  vi.unstubAllGlobals();
}
