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

/** What GETs are answered by, by path; every command is answered by `answers`, one after another. */
export function fakeApi(reads: Record<string, unknown> = {}) {
  const commands: Command[] = [];
  const answers: (() => Response)[] = [];

  vi.stubGlobal("fetch", async (request: Request): Promise<Response> => {
    const path = new URL(request.url).pathname;
    if (request.method === "GET") return Response.json(reads[path] ?? { items: [], total: 0 });
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
    refuse: (status: number, ...fields: { field: string; reason: string }[]) => answers.push(() => problem(status, ...fields)),
  };
}

function problem(status: number, ...fields: { field: string; reason: string }[]): Response {
  const body = { code: "refused", title: "请求未被接受", fields: fields.map((wrong) => ({ code: "wrong", ...wrong })) };
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/problem+json" } });
}

/** Signs an account of the city's union in, without a stream of live updates. */
export function signIn(changes: Partial<Account> = {}): void {
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
    ...changes,
  } as unknown as Account);
}
