// The typed client of the API (by its OpenAPI document): retries while the system is away, and throws ApiProblem.
import createClient, { type Middleware } from "openapi-fetch";
import { ApiProblem, readProblem } from "@/api/problems";
import type { paths } from "@/api/schema";
import { connection } from "@/live/connection";

const ACCOUNT = "X-Account-Id";
const LONGEST_WAIT_SECONDS = 60;
const PAUSES = [1, 2, 4, 8, 15];
/** 401 at sign-in: the credentials are wrong, which the form shows. */
const SIGN_IN_REFUSALS = ["sign_in_failed", "otp_wrong"];

let whenNotSignedIn = (): void => undefined;
let whenOtherAccount = (): void => undefined;
let accountId: string | undefined;

/** Called when the API answers that there is no session (any more). */
export function onNotSignedIn(act: () => void): void {
  whenNotSignedIn = act;
}

/** Called when another account has signed in meanwhile, in another tab. */
export function onOtherAccount(act: () => void): void {
  whenOtherAccount = act;
}

/** From now on requests are this account's: they are refused under the session of another one. */
export function workFor(account_id: string | undefined): void {
  accountId = account_id;
}

export const api = createClient<paths>({
  baseUrl: "/",
  querySerializer: { array: { style: "form", explode: true } },
  fetch: (request: Request) => persistently(request),
});

const failing: Middleware = {
  async onResponse({ response }) {
    if (response.ok) return undefined;
    throw await problemOf(response);
  },
};
api.use(failing);

/** The body of an answer: `await answer(api.GET("/api/v1/me"))`. Throws ApiProblem. */
export async function answer<T>(asked: Promise<{ data?: T }>): Promise<T> {
  return (await asked).data as T;
}

/** A file's bytes and the name under which to save it; `asked` is posted where given. Throws ApiProblem. */
export async function download(path: string, asked?: object): Promise<{ blob: Blob; fileName: string }> {
  const response = await persistently(new Request(path, asked && posting(asked)));
  if (!response.ok) throw await problemOf(response);
  return { blob: await response.blob(), fileName: fileNameOf(response.headers.get("Content-Disposition") ?? "") };
}

/** Lets the browser save a file of the API; `asked` is posted where given. Throws ApiProblem. */
export async function save(path: string, asked?: object): Promise<void> {
  const { blob, fileName } = await download(path, asked);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Sends a file with progress (0 to 1), which fetch does not report. Throws ApiProblem. */
export function upload<T>(path: string, file: File, key: string, onProgress?: (part: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file);
    request.open("POST", path);
    request.setRequestHeader("Idempotency-Key", key);
    if (accountId) request.setRequestHeader(ACCOUNT, accountId);
    request.upload.onprogress = (event) => onProgress?.(event.total ? event.loaded / event.total : 0);
    request.onerror = () => reject(ApiProblem.unreachable());
    request.onload = async () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText) as T);
      const headers = new Headers({ "Content-Type": request.getResponseHeader("Content-Type") ?? "" });
      reject(await problemOf(new Response(request.responseText, { status: request.status, headers })));
    };
    request.send(form);
  });
}

/** The problem in a response; leads to the sign-in page when the session has ended. */
async function problemOf(response: Response): Promise<ApiProblem> {
  const problem = await readProblem(response);
  if (problem.status === 401 && !SIGN_IN_REFUSALS.includes(problem.code)) whenNotSignedIn();
  if (problem.code === "other_account") whenOtherAccount();
  return problem;
}

function posting(asked: object): RequestInit {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked) };
}

/**
 * Sends a request again while the network or the system is away, for a minute at most. Commands are sent again only
 * with an Idempotency-Key: then nothing is done twice.
 */
async function persistently(request: Request): Promise<Response> {
  if (accountId) request.headers.set(ACCOUNT, accountId);
  const mayRepeat = request.method === "GET" || request.headers.has("Idempotency-Key");
  const until = Date.now() + LONGEST_WAIT_SECONDS * 1000;
  for (let attempt = 0; ; attempt++) {
    const response = await once(request.clone());
    if (response && response.status !== 503) {
      connection.recover();
      return response;
    }
    const pause = Number(response?.headers.get("Retry-After")) || PAUSES[Math.min(attempt, PAUSES.length - 1)]!;
    connection.trouble(response ? "busy" : "lost", pause);
    if (!mayRepeat || Date.now() + pause * 1000 > until) {
      if (response) return response;
      throw ApiProblem.unreachable();
    }
    await sleep(pause * 1000, request.signal);
  }
}

/** The answer, or nothing when none came. An abort stays an abort. */
async function once(request: Request): Promise<Response | undefined> {
  try {
    return await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    return undefined;
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject((signal.reason as Error | undefined) ?? new DOMException("", "AbortError"));
    });
  });
}

function fileNameOf(disposition: string): string {
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(disposition)?.[1];
  if (encoded) return decodeURIComponent(encoded);
  return /filename="?([^";]+)"?/i.exec(disposition)?.[1] ?? "download";
}
