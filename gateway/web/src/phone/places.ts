// Where a member lives, and the way to an outlet.
import { DISTRICTS } from "@/locales/districts";

/** The district that an address names; undefined where it names none. */
export function districtIn(address: string): string | undefined {
  return (
    DISTRICTS.find((district) => address.includes(district)) ??
    DISTRICTS.find((district) => address.includes(district.replace(/新?区$/, "")))
  );
}

/** A link that opens the map of the phone: iPhones know no `geo:`. */
export function mapLink(place: string, browser: string = navigator.userAgent): string {
  const sought = encodeURIComponent(place);
  return /iPhone|iPad|iPod/.test(browser) ? `maps:?q=${sought}` : `geo:0,0?q=${sought}`;
}

/** A link that calls a number as it is written: `021-12351-1` waits before the extension. */
export function callLink(phone: string): string {
  return `tel:${phone.replace(/^(\d{3,4}-\d{4,8})-(\d+)$/, "$1,$2").replace(/[^\d+,]/g, "")}`;
}
