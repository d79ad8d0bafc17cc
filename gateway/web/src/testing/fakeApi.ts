// An API for component tests: it answers by hand, and keeps the commands that it got.
import { vi } from "vitest";
import type { Account } from "@/api/types";
import { session } from "@/console/session";

export interface Command {
  method: string;
  path: string;
  key: string | null;
  body: unknown;
}

interface Wrong {
  field: string;
  reason: string;
}

/**
 * `reads` are answered by path, whatever the method: what a page only asks for. Each other command is answered by
 * `answers`, one after another.
 */
export function fakeApi(reads: Record<string, unknown> = {}) {
  const commands: Command[] = [];
  const answers: (() => Response)[] = [];

  stubFetch(async (request) => {
    const path = new URL(request.url).pathname;
    const known = reads[path];
    if (known !== undefined || request.method === "GET") {
      return Response.json(typeof known === "function" ? (known as () => unknown)() : (known ?? { items: [], total: 0 }));
    }
    const text = await request.text();
    commands.push({
      method: request.method,
      path,
      key: request.headers.get("Idempotency-Key"),
      body: text ? JSON.parse(text) : undefined,
    });
    return answers.shift()?.() ?? problem(400);
  });

  return {
    commands,
    answer: (body: unknown) => answers.push(() => Response.json(body)),
    refuse: (status: number, ...fields: Wrong[]) => answers.push(() => problem(status, fields)),
    refuseAs: (code: string, title: string, ...fields: Wrong[]) => answers.push(() => problem(422, fields, { code, title })),
  };
}

function problem(status: number, fields: Wrong[] = [], named = { code: "refused", title: "请求未被接受" }): Response {
  const body = { ...named, fields: fields.map((wrong) => ({ code: "wrong", ...wrong })) };
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/problem+json" } });
}

/** Captchas with pictures, whose numbers go up from `c-1`. */
export function numberedCaptchas(): () => object {
  let taken = 0;
  const proof_of_work = { salt: "s", bits: 1, parts: 1 };
  return () => ({ captcha_id: `c-${++taken}`, kind: "image", image: "data:image/png;base64,", wait_seconds: 0, proof_of_work });
}

type Fetch = ((request: Request) => Promise<Response>) & { isFake?: boolean };

function stubFetch(fetch: Fetch): void {
  vi.stubGlobal("fetch", Object.assign(fetch, { isFake: true }));
}

/** Signs an account of the city's union in, which has kept nothing, without a stream of live updates. */
export function signIn(changes: Partial<Account> = {}): void {
  if (!(fetch as unknown as Fetch).isFake) stubFetch(() => Promise.resolve(Response.json({ items: [], total: 0 })));
  vi.stubGlobal(
    "EventSource",
    class {
      addEventListener = () => undefined;
      close = () => undefined;
    },
  );
  session.begin({
    account_id: "own",
    account_name: "jianlang",
    display_name: "简朗",
    roles: ["administrator", "clerk"],
    union: { union_id: "city", name: "上海市总工会", code: "813100000000000000", kind: "city", superior_ids: [] },
    next_step: null,
    deputy_for: [],
    ...changes,
  } as unknown as Account);
}
