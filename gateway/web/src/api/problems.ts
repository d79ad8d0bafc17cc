// What went wrong, as the API tells it (RFC 9457): a stable code, words in Chinese, and for fields where and why.

export interface FieldProblem {
  field: string;
  code: string;
  reason: string;
}

export class ApiProblem extends Error {
  override readonly name = "ApiProblem";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string | undefined = undefined,
    readonly fields: readonly FieldProblem[] = [],
    readonly requestId: string | undefined = undefined,
  ) {
    super(title);
  }

  /** No answer came at all. */
  static unreachable(): ApiProblem {
    return new ApiProblem(0, "unreachable", "暂时连接不上系统", "请检查网络连接，稍后重试。");
  }

  /** The reason why a field is wrong; `members.3` is found under `members` too. */
  reasonFor(field: string): string | undefined {
    return this.fields.find((wrong) => wrong.field === field || wrong.field.startsWith(`${field}.`))?.reason;
  }

  /** Reasons of fields that the form does not show. */
  reasonsBeside(shown: readonly string[]): string[] {
    return this.fields.filter((wrong) => !shown.some((name) => wrong.field.startsWith(name))).map((wrong) => wrong.reason);
  }

  /** Whether nothing was decided: the same may succeed later, and must then be sent with the same key. */
  get isUndecided(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

/** The problem of an answer that is not a success, also where a proxy made it. */
export async function readProblem(response: Response): Promise<ApiProblem> {
  const requestId = response.headers.get("X-Correlation-Id") ?? undefined;
  if (!response.headers.get("Content-Type")?.startsWith("application/problem+json")) {
    return new ApiProblem(response.status, "unknown", "系统未能处理该请求", "请稍后重试。", [], requestId);
  }
  const told = await response.json();
  return new ApiProblem(response.status, told.code, told.title, told.detail, told.fields ?? [], requestId);
}

/** Any error as a problem, so that pages show one kind. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  console.error(error);
  return new ApiProblem(-1, "page_error", "页面发生错误", "请刷新页面后重试。");
}
