// Chinese terms for the places of announcements.
export const PLACES = { sign_in: "登录页", workbench: "业务工作台" } as const;
