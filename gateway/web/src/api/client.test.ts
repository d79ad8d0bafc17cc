// Tests of the API client: redirection to the sign-in page at 401.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api, download, onNotSignedIn } from "@/api/client";

const SITE = "http://localhost";
const toSignIn = vi.fn();

/** The API answers everything by this problem. */
function refuseWith(status: number, code: string): void {
  const headers = { "Content-Type": "application/problem+json" };
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify({ code, title: "未能处理" }), { status, headers }));
}

beforeEach(() => onNotSignedIn(toSignIn));
afterEach(() => {
  vi.unstubAllGlobals();
  toSignIn.mockReset();
});

describe("a page whose request is refused", () => {
  it.each(["not_signed_in", "session_ended", "unknown"])("leads to the sign-in page at 401 %s", async (code) => {
    refuseWith(401, code);

    await expect(api.GET("/api/v1/me", { baseUrl: SITE })).rejects.toMatchObject({ status: 401, code });

    expect(toSignIn).toHaveBeenCalledOnce();
  });

  it("leads there when it was a file that was asked for", async () => {
    refuseWith(401, "not_signed_in");

    await expect(download(`${SITE}/api/v1/register.xlsx`)).rejects.toMatchObject({ status: 401 });

    expect(toSignIn).toHaveBeenCalledOnce();
  });

  it.each(["sign_in_failed", "otp_wrong"])("stays at its form at 401 %s: what was typed is wrong", async (code) => {
    refuseWith(401, code);

    await expect(api.GET("/api/v1/me", { baseUrl: SITE })).rejects.toMatchObject({ code });

    expect(toSignIn).not.toHaveBeenCalled();
  });

  it("stays where it is when it may not do this", async () => {
    refuseWith(403, "forbidden");

    await expect(api.GET("/api/v1/me", { baseUrl: SITE })).rejects.toMatchObject({ code: "forbidden" });

    expect(toSignIn).not.toHaveBeenCalled();
  });
});
