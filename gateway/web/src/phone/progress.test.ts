// Tests of the steps of an application.
import { describe, expect, it } from "vitest";
import type { PersonalApplication } from "@/api/types";
import { headline, timeline } from "@/phone/progress";

type State = PersonalApplication["state"];

function anApplication(...states: State[]): PersonalApplication {
  const steps = states.map((state) => ({ state, at: "2026-11-25T02:00:00+00:00", note: null }));
  return { state: states.slice(-1)[0], steps } as PersonalApplication;
}

const shown = (...given: Parameters<typeof timeline>) => timeline(...given).map(({ title, kind }) => `${title} ${kind}`);

describe("the progress of an application", () => {
  it("shows all that is still to come while it is checked", () => {
    expect(shown(anApplication("queued"), null)).toEqual([
      "已提交申请 now",
      "银行受理 to-come",
      "银行制卡 to-come",
      "凭身份证原件领卡 to-come",
    ]);
  });

  it("shows how far the bank is", () => {
    expect(shown(anApplication("queued", "submitted"), "accepted").slice(2)).toEqual([
      "银行已受理 done",
      "银行制卡 to-come",
      "凭身份证原件领卡 to-come",
    ]);
    expect(shown(anApplication("queued", "submitted"), "made")).toContain("银行已受理 done");
  });

  it("has nothing to come once it is over", () => {
    expect(shown(anApplication("queued", "submitted", "issued"), null).slice(-1)[0]).toBe("办卡成功 done");
    expect(shown(anApplication("queued", "removed"), null).slice(-1)[0]).toBe("申请未通过 failed");
  });

  it("goes on with what happens to the card, the oldest first", () => {
    const step = { happened_at: "2026-12-04T02:00:00+00:00", by_union: false, card_no: "622478******7891" };
    const steps = [
      { ...step, step: "lost" as const },
      { ...step, step: "collected" as const },
    ];
    expect(shown(anApplication("queued", "submitted", "issued"), null, steps).slice(2)).toEqual([
      "办卡成功 done",
      "领卡 done",
      "挂失 done",
    ]);
    expect(shown(anApplication("queued"), null, steps)).not.toContain("领卡 done");
  });

  it("says what to do with the card once it is issued", () => {
    expect(headline(anApplication("issued"), "made").advice).toContain("领卡");
    expect(headline(anApplication("issued"), "lost")).toMatchObject({ title: "卡已挂失", tone: "bad" });
    expect(headline(anApplication("submitted"), null).title).toBe("银行办理中");
  });

  it("tells what the member has cancelled from what did not pass", () => {
    const cancelled = anApplication("queued", "removed");
    cancelled.steps[1]!.note = "本人取消申请并撤回同意";
    expect(headline(cancelled).title).toBe("申请已取消");
    expect(shown(cancelled, null)[1]).toBe("申请已取消 failed");
    expect(headline(anApplication("queued", "removed")).title).toBe("申请未通过");
  });
});
