// What can be said of a new password as it is typed; the server also knows the common ones.

/** Why the password cannot be taken, in Chinese. */
export function passwordProblem(password: string, accountName: string): string | undefined {
  if (!password) return undefined;
  const length = [...password].length;
  if (length < 8 || length > 64) return "密码应为 8 至 64 个字符";
  if (accountName && password.toLowerCase() === accountName.toLowerCase()) return "密码不能与账号相同";
  return undefined;
}
