const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const durationPattern = /^(?:[0-9]{1,6}(?:\.[0-9]{1,3})?[smhd])+$/;

/** The length in milliseconds of `24h`, `1h30m` or `7d`; undefined where the text is none. Source: Go's time.ParseDuration, with days. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!durationPattern.test(text)) return undefined;
  return [...text.matchAll(/([0-9.]+)([smhd])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? ''] ?? 0),
    0,
  );
}
