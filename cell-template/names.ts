// What names and addresses look like, wherever a cell is told one.

/** A lower-case DNS label (RFC 1123, section 2.1). */
export const CELL_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export function isPostgresUrl(text: string): boolean {
  return URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol);
}
