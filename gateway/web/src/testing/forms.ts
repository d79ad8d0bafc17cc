// What every form on a page does, as tests: `describeForm` says of one what it refuses, sends and does.
import { mount, type VueWrapper } from "@vue/test-utils";
import { ElMessage, ElMessageBox } from "element-plus";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { defineComponent, type Component } from "vue";
import { createMemoryHistory, createRouter } from "vue-router";
import { fakeApi, signIn } from "@/testing/fakeApi";
import { eventually, fieldsOf, press, settle, type Values } from "@/testing/fields";

export interface FormCase {
  page: Component;
  props?: Values;
  /** What there is before the page is opened. */
  given?: () => unknown;
  /** The address of the page; the paths that it reads or leads to, by name. */
  at?: string;
  routes?: Record<string, string>;
  /** What is answered by path; made anew for each test. */
  reads?: () => Record<string, unknown>;
  /** What leads to the form, where it is not there at first; what that sends is not counted. */
  prepares?: (form: OpenForm) => unknown;
  /** The word on the button that sends it. */
  act: string;
  /** What is told where nothing is filled in, by label; the first one gets the focus. */
  refuses: Record<string, string>;
  fills: Values;
  alsoDoes?: () => unknown;
  /** What the user is asked before it is sent: the word on the button. */
  confirms?: string;
  sends: { method: string; path: string; body: unknown; isUnderKey?: boolean };
  answer: unknown;
  /** A field as the API names it, and the label under which its reason is shown; none where the form has no such field. */
  problemAt?: [field: string, label: string];
  /** Where it leads to, what it emits or what else it does. */
  leadsTo?: string;
  emits?: string;
  does?: (form: OpenForm) => unknown;
}

export type OpenForm = Awaited<ReturnType<typeof openForm>>;

const REASON = "该内容不被接受";
let mounted: VueWrapper | undefined;

export function describeForm(name: string, form: FormCase): void {
  describe(name, () => {
    beforeEach(() => {
      stubBrowser();
      signIn();
    });
    afterEach(closeForm);

    it("tells what is missing at its field, goes there, and sends nothing", async () => {
      const open = await opened(form);
      press(form.act);
      await settle();

      expect(open.reasons()).toEqual(form.refuses);
      expect(open.api.commands).toEqual([]);
      const [first] = Object.keys(form.refuses);
      if (first) expect(open.focused()).toBe(first);
    });

    it("shows a problem of the API once", async () => {
      const open = await opened(form);
      open.api.refuse(409);
      await complete(open, form);

      await eventually(() => expect(open.timesShown("请求未被接受")).toBe(1));
      expect(open.reasons()).toEqual({});
    });

    it("shows what the API says of a field there and nowhere else", async () => {
      const open = await opened(form);
      const [field, label] = form.problemAt ?? ["other", undefined];
      open.api.refuse(422, { field, reason: REASON });
      await complete(open, form);

      expect(open.reasons()).toEqual(label ? { [label]: REASON } : {});
      await eventually(() => expect(open.timesShown(REASON)).toBe(1));
      if (label) expect(open.focused()).toBe(label);
    });

    it("sends once, however often it is submitted meanwhile", async () => {
      const open = await opened(form);
      open.api.answer(form.answer);
      await fillIn(open, form);
      press(form.act);
      press(form.act);
      if (form.confirms) await confirm(form.confirms);
      await settle();

      expect(open.api.commands).toHaveLength(1);
      if (form.emits) expect(open.emitted(form.emits)).toHaveLength(1);
    });

    it("sends what was filled in, and goes on", async () => {
      const open = await opened(form);
      open.api.answer(form.answer);
      await complete(open, form);

      const { isUnderKey, ...command } = form.sends;
      expect(open.api.commands).toEqual([{ ...command, key: isUnderKey ? expect.stringMatching(/^[0-9a-f]{32}/) : null }]);
      if (form.leadsTo) expect(open.address()).toBe(form.leadsTo);
      if (form.emits) expect(open.emitted(form.emits)).toHaveLength(1);
      await form.does?.(open);
    });
  });
}

/** Mounts a page with a router that leads nowhere else. */
export async function openForm({
  page,
  props,
  given,
  at = "/",
  routes = {},
  reads,
}: Omit<FormCase, "act" | "refuses" | "fills" | "sends" | "answer">) {
  const api = fakeApi(reads?.());
  await given?.();
  const nothing = defineComponent(() => () => null);
  const named = Object.entries(routes).map(([name, path]) => ({ path, name, component: nothing }));
  const router = createRouter({ history: createMemoryHistory(), routes: [...named, { path: "/:rest(.*)*", component: nothing }] });
  await router.push(at);
  const wrapper = mount(page, {
    props,
    attachTo: document.body,
    global: { plugins: [router], stubs: { transition: true, teleport: false } },
  });
  mounted = wrapper;
  await settle();
  return {
    ...fieldsOf(wrapper as VueWrapper),
    api,
    wrapper,
    address: () => router.currentRoute.value.fullPath,
    emitted: (event: string) => wrapper.emitted(event) ?? [],
    timesShown: (text: string) => document.body.textContent.split(text).length - 1,
  };
}

/** Stands for what happy-dom has not: updates of the server, and workers, which find their solution at once. */
export function stubBrowser(): void {
  vi.stubGlobal(
    "Worker",
    class {
      onmessage: (event: { data: { solution: string } }) => void = () => undefined;
      postMessage = () => queueMicrotask(() => this.onmessage({ data: { solution: "solved" } }));
      terminate = () => undefined;
    },
  );
}

/** Messages and questions too: one that is still there is not told again. */
export async function closeForm(): Promise<void> {
  mounted?.unmount();
  ElMessage.closeAll();
  ElMessageBox.close();
  await settle();
  document.body.replaceChildren();
  sessionStorage.clear();
  vi.unstubAllGlobals();
}

/** Presses the button of the question that is asked before something is sent. */
export async function confirm(word: string): Promise<void> {
  await eventually(() => press(word, ".el-message-box"));
  await settle();
}

async function opened(form: FormCase): Promise<OpenForm> {
  const open = await openForm(form);
  await form.prepares?.(open);
  await settle();
  open.api.commands.length = 0;
  return open;
}

async function fillIn(open: OpenForm, { fills, alsoDoes }: FormCase): Promise<void> {
  await open.fill(fills);
  await alsoDoes?.();
  await settle();
}

async function complete(open: OpenForm, form: FormCase): Promise<void> {
  await fillIn(open, form);
  press(form.act);
  await settle();
  if (form.confirms) await confirm(form.confirms);
  await settle();
}
