// Tests of device names from user agents.
import { expect, test } from "vitest";
import { deviceOf } from "@/console/account/devices";

test.each([
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", "Edge，Windows"],
  ["Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15", "Safari，macOS"],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.50", "微信，iOS"],
  ["curl/8.5.0", "curl/8.5.0"],
  [null, "未知设备"],
])("calls %s by the name that people know", (userAgent, name) => {
  expect(deviceOf(userAgent)).toBe(name);
});
