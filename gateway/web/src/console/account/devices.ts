// Browser and operating system from a user agent, in people's words.
const BROWSERS: readonly [sign: RegExp, name: string][] = [
  [/MicroMessenger\//, "微信"],
  [/Edg\//, "Edge"],
  [/(360SE|QIHU)/i, "360 浏览器"],
  [/Firefox\//, "Firefox"],
  [/Chrom(e|ium)\//, "Chrome"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: readonly [sign: RegExp, name: string][] = [
  [/Android/, "Android"],
  [/(iPhone|iPad)/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux|X11/, "Linux"],
];

/** `Edge，Windows`; an unknown user agent is shortened. */
export function deviceOf(userAgent: string | null): string {
  if (!userAgent) return "未知设备";
  const named = [BROWSERS, SYSTEMS].map((names) => names.find(([sign]) => sign.test(userAgent))?.[1]).filter(Boolean);
  return named.join("，") || userAgent.slice(0, 60);
}
