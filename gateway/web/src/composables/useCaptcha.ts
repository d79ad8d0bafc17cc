// A captcha 验证码 in hand: taken from the API, worked for beside the page, and handed to the form once it may be sent.
import { computed, onMounted, onScopeDispose, ref, shallowRef } from "vue";
import { answer, api } from "@/api/client";
import type { ApiProblem } from "@/api/problems";
import type { Captcha } from "@/api/types";
import { useMutation } from "@/composables/useMutation";

type Purpose = "sign_in" | "sms_code";

/** What a form holds of a captcha. */
export interface CaptchaFields {
  captcha_id: string;
  captcha_answer: string;
  proof_of_work: string;
}

/** What a captcha's field shows. */
export type CaptchaInHand = ReturnType<typeof useCaptcha>;

/** Takes the first one as the page is mounted. */
export function useCaptcha(purpose: Purpose) {
  const given = ref("");
  const captcha = shallowRef<Captcha>();
  const isWorking = ref(false);
  const partsDone = ref(0);
  let solved: Promise<string> = Promise.resolve("");
  let running: Worker | undefined;
  let forUnknownDevice = false;
  const taking = useMutation((_key, kind: Captcha["kind"], for_unknown_device: boolean) =>
    answer(api.POST("/api/v1/captchas", { body: { kind, purpose, for_unknown_device } })),
  );
  const trouble = computed(() => taking.problem.value?.title);

  const hasPicture = computed(() => captcha.value?.kind !== "work");
  const isMissing = computed(() => hasPicture.value && !given.value.trim());
  /** How far the work is, in words that are read aloud too; nothing while no captcha is there. */
  const progress = computed(() => {
    if (!captcha.value) return "";
    if (!isWorking.value) return "安全验证已完成";
    return `正在进行安全验证（${partsDone.value}/${captcha.value.proof_of_work.parts}）…`;
  });

  /** Takes another captcha, of the same kind unless told otherwise, and begins to work for it. */
  async function renew(kind: Captcha["kind"] = captcha.value?.kind ?? "image"): Promise<void> {
    given.value = "";
    const taken = await taking.run(kind, forUnknownDevice);
    if (!taken) return;
    captcha.value = taken;
    solved = work(taken);
  }

  /** Takes another one after a refusal: as hard as for a stranger where this one was too easy. */
  function renewAfter(problem: ApiProblem): Promise<void> {
    if (problem.code === "captcha_too_easy") forUnknownDevice = true;
    return renew();
  }

  /** What the form holds, once the work is done and the captcha may be sent. */
  async function fields(): Promise<CaptchaFields> {
    const proof_of_work = await solved;
    return { captcha_id: captcha.value?.captcha_id ?? "", captcha_answer: given.value.trim(), proof_of_work };
  }

  /** Searches in a worker; at the end it waits as long as the captcha asks for. */
  function work(made: Captcha): Promise<string> {
    running?.terminate();
    const worker = new Worker(new URL("./proofOfWork.worker.ts", import.meta.url), { type: "module" });
    running = worker;
    isWorking.value = true;
    partsDone.value = 0;
    const waited = new Promise((resolve) => setTimeout(resolve, made.wait_seconds * 1000));
    const found = new Promise<string>((resolve) => {
      worker.onmessage = ({ data }: MessageEvent<{ done?: number; solution?: string }>) => {
        if (data.done !== undefined) partsDone.value = data.done;
        if (data.solution !== undefined) resolve(data.solution);
      };
      worker.onerror = () => resolve("");
    });
    worker.postMessage({ ...made.proof_of_work });
    return Promise.all([found, waited]).then(([solution]) => {
      if (running === worker) isWorking.value = false;
      worker.terminate();
      return solution;
    });
  }

  onMounted(() => renew());
  onScopeDispose(() => running?.terminate());
  return { given, captcha, trouble, isLoading: taking.isRunning, hasPicture, isMissing, progress, renew, renewAfter, fields };
}
