// Telephone numbers, by the same rules as the API's.
const MOBILE = /^1[3-9]\d{9}$/;
const PHONE = /^(1[3-9]\d{9}|(0\d{2,3}-?)?\d{7,8}(-\d{1,6})?)$/;

/** A mobile number of China's mainland. */
export const isMobile = (number: string): boolean => MOBILE.test(number);

/** A mobile or fixed-line number, with or without area code and extension. */
export const isPhone = (number: string): boolean => PHONE.test(number);
