// @vitest-environment happy-dom
// Tests of the session over several tabs: another account elsewhere stops this tab, the same one lets it go on.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api, onNotSignedIn, onOtherAccount } from "@/api/client";
import { askWhenSeen, session } from "@/console/session";
import { fakeApi, signIn } from "@/testing/fakeApi";
import { settle } from "@/testing/fields";

const seen = async () => {
  document.dispatchEvent(new Event("visibilitychange"));
  await settle();
};

let headers: (string | null)[] = [];
function answering(status: number, body: object = {}): void {
  headers = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    headers.push(request.headers.get("X-Account-Id"));
    const type = status < 300 ? "application/json" : "application/problem+json";
    return new Response(JSON.stringify({ title: "未能处理", ...body }), { status, headers: { "Content-Type": type } });
  });
}

askWhenSeen();
beforeEach(() => {
  fakeApi();
  signIn();
});
afterEach(() => {
  session.end();
  vi.unstubAllGlobals();
  onOtherAccount(() => undefined);
  onNotSignedIn(() => undefined);
});

describe("a tab", () => {
  it("says for whom it works in each request, and for nobody without an account", async () => {
    answering(200);
    await api.GET("/api/v1/me");
    session.end();
    await api.GET("/api/v1/me");

    expect(headers).toEqual(["own", null]);
  });

  it("stops for good where another account has signed in in another tab, as soon as it is seen", async () => {
    onOtherAccount(() => session.stop("other_account"));
    answering(409, { code: "other_account" });
    await seen();
    expect(session.standstill.value).toBe("other_account");

    answering(200);
    await seen();
    session.stop("ended");
    expect([headers, session.standstill.value]).toEqual([[], "other_account"]);
  });

  it("goes on when the same account has signed in again elsewhere", async () => {
    session.stop("ended");
    answering(401, { code: "not_signed_in" });
    await seen();
    expect(session.standstill.value).toBe("ended");

    answering(200);
    await seen();
    expect(session.standstill.value).toBeUndefined();
    expect(session.account.value?.account_id).toBe("own");
  });

  it("hears of the other account by any request, too", async () => {
    const stopped = vi.fn();
    onOtherAccount(stopped);
    answering(409, { code: "other_account" });
    await expect(api.GET("/api/v1/me")).rejects.toMatchObject({ code: "other_account" });

    expect(stopped).toHaveBeenCalledOnce();
  });
});
