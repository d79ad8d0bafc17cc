import { describe, expect, it } from "vitest";
import { applicationIn } from "@/console/cards/scannedCode";

const ID = "0192f0c0-0000-7000-8000-000000000b01";

describe("a scanned code", () => {
  it.each([
    `https://zzgl.shzgh.org/collect/${ID}`,
    `http://127.0.0.1:8000/collect/${ID}/`,
    ` ${ID}\n`,
    ID.toUpperCase(),
    `https：、、zzgl。shzgh。org、collect、${ID}`,
  ])("%s names an application", (scanned) => expect(applicationIn(scanned)).toBe(ID));
  it.each(["", "6224781234567891", `https://zzgl.shzgh.org/cards/${ID}`, `${ID}0`, `a collect/${ID}`, `https://a/collect/${ID}?x=1`])(
    "%s names none",
    (scanned) => expect(applicationIn(scanned)).toBeUndefined(),
  );
});
