// Where a member lives, and the way to an outlet.
import { DISTRICTS } from "@/locales/districts";

/** The district that an address names; undefined where it names none. */
export function districtIn(address: string): string | undefined {
  return (
    DISTRICTS.find((district) => address.includes(district)) ??
    DISTRICTS.find((district) => address.includes(district.replace(/新?区$/, "")))
  );
}

/** A link that opens the map of the phone: Apple's know no `geo:`, and an iPad says that it is a Mac. */
export function mapLink(place: string, browser: string = navigator.userAgent): string {
  const sought = encodeURIComponent(place);
  return /iPhone|iPad|iPod|Macintosh/.test(browser) ? `maps:?q=${sought}` : `geo:0,0?q=${sought}`;
}

/** A link that calls a number as it is written: `021-12351-1` waits before the extension. */
export function callLink(phone: string): string {
  return `tel:${phone.replace(/^((?:0\d{2,3}-?)?\d{5,8})-(\d{1,6})$/, "$1,$2").replace(/[^\d+,]/g, "")}`;
}
