/** `MicroTime` of the API takes exactly six digits of a second: `2026-01-02T15:04:05.123000Z`. By the wall's clock. */
export function formatMicroTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}
