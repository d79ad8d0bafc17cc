// One form: its values, why fields are wrong, and sending them as one act.
import { computed, reactive, watch, type Ref } from "vue";
import { useMutation } from "@/composables/useMutation";
import type { ApiProblem } from "@/api/problems";

/** Why a field is wrong, in Chinese; nothing where it is right. */
type Errors = Partial<Record<string, string | false>>;

/** What `FormDialog` needs of a form. */
export interface Form {
  readonly isOpen: boolean;
  readonly isRunning: boolean;
  readonly problem: ApiProblem | undefined;
  /** Fields whose reasons the form shows itself. */
  readonly fields: readonly string[];
  submit: () => Promise<void>;
  close: () => void;
}

interface Options<Values extends object, Wrong extends Errors, Request, Answer> {
  /** Whether its dialog is open: each opening begins with `values` again, success closes it. */
  isOpen?: Ref<boolean>;
  values: () => Values;
  validate?: (values: Values) => Wrong;
  /** What is sent. The same is sent again under the same key. */
  request?: (values: Values) => Request;
  /** Asked before sending, where nothing is wrong: whether to send now. */
  confirm?: (values: Values) => boolean;
  send: (key: string, request: Request) => Promise<Answer>;
  onSuccess: (answer: Answer) => void;
}

/** A field tells what is wrong with it once it was touched or sent, and what the API says of it. */
export function useForm<Values extends object, Wrong extends Errors = object, Request = Values, Answer = unknown>({
  isOpen,
  values: initial,
  validate = () => ({}) as Wrong,
  request = (values) => ({ ...values }) as unknown as Request,
  confirm = () => true,
  send,
  onSuccess,
}: Options<Values, Wrong, Request, Answer>) {
  type Field = (keyof Values | keyof Wrong) & string;
  const values = reactive(initial()) as Values;
  const errors = computed<Errors>(() => validate(values));
  const fields = computed(() => [...Object.keys(values), ...Object.keys(errors.value)]);
  const touched = reactive(new Set<string>());
  const mutation = useMutation(send);

  /** On leaving a field, so that it is checked before the rest is filled in. */
  function touch(field: Field, isTouched = true): void {
    if (isTouched) touched.add(field);
    else touched.delete(field);
  }

  const errorOf = (field: Field): string | undefined =>
    (touched.has(field) && errors.value[field]) || mutation.problem.value?.reasonFor(field);

  async function submit(): Promise<void> {
    fields.value.forEach((field) => touched.add(field));
    if (Object.values(errors.value).some(Boolean) || !confirm(values)) return;
    const answer = await mutation.run(request(values));
    if (answer === undefined) return;
    onSuccess(answer);
    close();
  }

  function reset(): void {
    Object.assign(values, initial());
    touched.clear();
    mutation.forget();
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
      return mutation.isRunning.value;
    },
    get problem() {
      return mutation.problem.value;
    },
    get fields() {
      return fields.value;
    },
  };
}
