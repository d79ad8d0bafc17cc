// What a scanner reads from a code for collection: the address of the page of an application, or the application alone.

/** Scanners type; a Chinese input method makes other signs of what is before the id. */
const APPLICATION = /^(?:\S*[/、]collect[/、])?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})[/、]?$/i;

/** The application's id; undefined for anything that is no such code. */
export function applicationIn(scanned: string): string | undefined {
  return APPLICATION.exec(scanned.normalize("NFKC").trim())?.[1]?.toLowerCase();
}
