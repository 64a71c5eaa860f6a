/** Formats figures in the way that people say them. */

const NARROW = '\u00a0';

/** Formats milliseconds: "0.4 ms", "12 ms", "1.2 s", "2 min 5 s". */
export function duration(ms: number): string {
  if (ms < 0.05) return `under 0.1${NARROW}ms`;
  if (ms < 9.95) return `${ms.toFixed(1)}${NARROW}ms`;
  if (ms < 999.5) return `${Math.round(ms)}${NARROW}ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)}${NARROW}s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}${NARROW}min ${seconds % 60}${NARROW}s`;
}

/** Formats US dollars with at least two significant digits: "$0.00042", "$0.013", "$12.50"; "not known" for null. */
export function dollars(amount: number | null | undefined): string {
  if (amount == null) return 'not known';
  if (amount === 0) return '$0';
  const digits = Math.abs(amount) >= 1 ? 2 : 1 - Math.floor(Math.log10(Math.abs(amount)));
  return `${amount < 0 ? '−' : ''}$${Math.abs(amount).toFixed(digits)}`;
}

/** "1 vote", "1,204 votes". */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}

/** "a", "a and b", "a, b and c". */
export function list(parts: readonly string[]): string {
  if (parts.length < 2) return parts.join('');
  return `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });

/** A day such as 2026-11-30 in words: "30 November 2026". */
export function day(date: string): string {
  return DAY.format(new Date(date));
}

/** The seconds left until `at`, rounded up. Both times are milliseconds since 1970. */
export function secondsUntil(at: number, now = Date.now()): number {
  return Math.max(0, Math.ceil((at - now) / 1000));
}

/** When to try again: "in 30 seconds", "in 5 minutes". */
export function inSeconds(seconds: number): string {
  return `in ${seconds < 120 ? count(seconds, 'second') : count(Math.ceil(seconds / 60), 'minute')}`;
}
