// What went wrong, as the API tells it (RFC 9457): a stable code, words in Chinese, and for fields where and why.

export interface FieldProblem {
  field: string;
  code: string;
  reason: string;
}

/** The document of RFC 9457. */
interface ToldProblem {
  code: string;
  title: string;
  detail?: string;
  fields?: FieldProblem[];
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

  /**
   * The reason why a field is wrong; `members.3` is found under `members` too. Where that is all that the title says, it is
   * told at the field alone, with what to do.
   */
  reasonFor(field: string): string | undefined {
    const reason = this.fields.find((wrong) => isOf(field, wrong))?.reason;
    return reason === this.title && this.detail ? `${reason}。${this.detail}` : reason;
  }

  /** Reasons of fields that the form does not show, and that the title does not say already. */
  reasonsBeside(shown: readonly string[]): string[] {
    return this.fields
      .filter((wrong) => wrong.reason !== this.title && !shown.some((name) => isOf(name, wrong)))
      .map((wrong) => wrong.reason);
  }

  /** Whether a field that the form shows says all that the title does. */
  isToldAt(shown: readonly string[]): boolean {
    return this.fields.some((wrong) => wrong.reason === this.title && shown.some((name) => isOf(name, wrong)));
  }

  /** Whether nothing was decided: the same may succeed later, and must then be sent with the same key. */
  get isUndecided(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

function isOf(name: string, wrong: FieldProblem): boolean {
  return wrong.field === name || wrong.field.startsWith(`${name}.`);
}

/** The problem of an answer that is not a success, also where a proxy made it. */
export async function readProblem(response: Response): Promise<ApiProblem> {
  const requestId = response.headers.get("X-Correlation-Id") ?? undefined;
  if (!response.headers.get("Content-Type")?.startsWith("application/problem+json")) {
    return new ApiProblem(response.status, "unknown", "系统未能处理该请求", "请稍后重试。", [], requestId);
  }
  const told = (await response.json()) as ToldProblem;
  return new ApiProblem(response.status, told.code, told.title, told.detail, told.fields ?? [], requestId);
}

/** Any error as a problem, so that pages show one kind. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  console.error(error);
  return new ApiProblem(-1, "page_error", "页面发生错误", "请刷新页面后重试。");
}
