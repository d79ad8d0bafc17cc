// Where announcements are shown.
export const PLACES = { sign_in: "登录页", workbench: "业务工作台" } as const;
