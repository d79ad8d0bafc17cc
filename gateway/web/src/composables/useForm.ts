// One form: its values, why fields are wrong, and sending them as one act.
import { computed, onScopeDispose, reactive, ref, shallowRef, watch, type Ref } from "vue";
import { unsaved } from "@/composables/unsaved";
import { useMutation } from "@/composables/useMutation";
import { ApiProblem } from "@/api/problems";

/** Why a field is wrong, in Chinese; nothing where it is right. */
type Errors = Partial<Record<string, string | false>>;

/** What the components around a form need of it: `FormBody`, `FormDialog`, `PhoneForm`. */
export interface Form {
  readonly isOpen: boolean;
  /** From sending until what follows the answer is done. */
  readonly isRunning: boolean;
  readonly problem: ApiProblem | undefined;
  /** Fields whose reasons the form shows itself. */
  readonly fields: readonly string[];
  /** How often it was submitted in vain: a field was wrong, or the API refused. */
  readonly refusals: number;
  /** Whether something was filled in that is not sent. */
  readonly isDirty: boolean;
  submit: () => Promise<void>;
  close: () => void;
}

interface Options<Values extends object, Wrong extends Errors, Request, Answer> {
  /** Whether its dialog is open: each opening begins with `values` again, success closes it. */
  isOpen?: Ref<boolean>;
  /** A form with several buttons has among its values which was pressed: `submit({ wanted: "code" })`. */
  values: () => Values;
  validate?: (values: Values) => Wrong;
  /** Whether it changes what is known: then sending it unchanged says so, and sends nothing. */
  isChange?: () => boolean;
  /** What is sent. The same is sent again under the same key. */
  request?: (values: Values) => Request;
  /** Asked before sending, where nothing is wrong: whether to send now. */
  confirm?: (values: Values) => boolean | Promise<boolean>;
  /** Absent in a step that only leads on: its answer is the request. */
  send?: (key: string, request: Request) => Promise<Answer>;
  onSuccess: (answer: Answer, request: Request) => unknown;
  /** After a problem of the API, before it can be submitted again: takes another captcha, for example. */
  onFailure?: (problem: ApiProblem, request: Request) => unknown;
}

/**
 * A field tells what is wrong with it once it was touched or sent, and what the API says of it. With an answer of the API
 * all are untouched again, so that what `onSuccess` or `onFailure` empties is not wrong yet. Submitting again does nothing
 * before the former submission has ended, with what follows it.
 */
export function useForm<Values extends object, Wrong extends Errors = object, Request = Values, Answer = unknown>({
  isOpen,
  values: initial,
  validate = () => ({}) as Wrong,
  isChange = () => false,
  request = (values) => ({ ...values }) as unknown as Request,
  confirm = () => true,
  send = (_key, given) => Promise.resolve(given as unknown as Answer),
  onSuccess,
  onFailure = () => undefined,
}: Options<Values, Wrong, Request, Answer>) {
  type Field = (keyof Values | keyof Wrong) & string;
  const values = reactive(initial()) as Values;
  const errors = computed<Errors>(() => validate(values));
  const fields = computed(() => [...Object.keys(values), ...Object.keys(errors.value)]);
  const touched = reactive(new Set<string>());
  const mutation = useMutation(send);
  const isRunning = ref(false);
  const refusals = ref(0);
  const notice = shallowRef<ApiProblem>();
  const snapshot = ref(JSON.stringify(values));
  const isDirty = computed(() => (isOpen?.value ?? true) && JSON.stringify(values) !== snapshot.value);
  let isSubmitted = false;
  if (isOpen)
    onScopeDispose(
      unsaved.watch(() => isDirty.value),
      true,
    );

  /** On leaving a field, so that it is checked before the rest is filled in. */
  function touch(field: Field, isTouched = true): void {
    if (isTouched) touched.add(field);
    else touched.delete(field);
  }

  const errorOf = (field: Field): string | undefined =>
    (touched.has(field) && errors.value[field]) || mutation.problem.value?.reasonFor(field);

  async function submit(pressed: Partial<Values> = {}): Promise<void> {
    if (isSubmitted) return;
    isSubmitted = true;
    Object.assign(values, pressed);
    const isRefused = await attempt().finally(() => (isSubmitted = isRunning.value = false));
    if (isRefused) refusals.value++;
  }

  /** Whether something was wrong. */
  async function attempt(): Promise<boolean> {
    fields.value.forEach((field) => touched.add(field));
    mutation.forget();
    notice.value = undefined;
    if (isChange() && !isDirty.value) {
      notice.value = new ApiProblem(422, "unchanged", "没有修改任何内容", "请修改后再保存；不需要修改的，请直接关闭。");
      return true;
    }
    if (Object.values(errors.value).some(Boolean)) return true;
    const sent = request(values);
    if (!(await confirm(values))) return false;
    isRunning.value = true;
    const answer = await mutation.run(sent);
    const problem = mutation.problem.value;
    touched.clear();
    if (problem) {
      await onFailure(problem, sent);
    } else {
      snapshot.value = JSON.stringify(values);
      await onSuccess(answer as Answer, sent);
      close();
    }
    return !!problem;
  }

  function reset(): void {
    Object.assign(values, initial());
    snapshot.value = JSON.stringify(values);
    touched.clear();
    mutation.forget();
    notice.value = undefined;
  }

  function close(): void {
    if (isOpen) isOpen.value = false;
  }

  if (isOpen) watch(isOpen, (opens) => opens && reset());

  return {
    values,
    touch,
    errorOf,
    submit,
    close,
    get isOpen() {
      return isOpen?.value ?? true;
    },
    get isRunning() {
      return isRunning.value;
    },
    get problem() {
      return mutation.problem.value ?? notice.value;
    },
    get isDirty() {
      return isDirty.value;
    },
    get fields() {
      return fields.value;
    },
    get refusals() {
      return refusals.value;
    },
  };
}
