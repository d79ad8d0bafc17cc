// What can be said of a new password before it is sent; the server also knows the common ones.

/** What a form for a new password holds: it is typed twice. */
export interface NewPassword {
  new_password: string;
  again: string;
}

/** Why fields are wrong, in Chinese. */
export function wrongPasswordFields({ new_password, again }: NewPassword, accountName: string) {
  return {
    new_password: passwordProblem(new_password, accountName),
    again: again ? again !== new_password && "两次输入的新密码不一致" : "请再次输入新密码",
  } as const;
}

function passwordProblem(password: string, accountName: string): string | false {
  const length = [...password].length;
  if (!length) return "请输入新密码";
  if (length < 8 || length > 64) return "密码应为 8 至 64 个字符";
  return !!accountName && password.toLowerCase() === accountName.toLowerCase() && "密码不能与账号相同";
}
