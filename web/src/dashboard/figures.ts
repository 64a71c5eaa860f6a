/** Formats shares, their differences, and times; shared/words.ts has durations, dollars and counts. */

const SPACE = '\u00a0';

export interface Range {
  low: number | null;
  high: number | null;
}

/** "74 %", "74.2 %". */
export function percent(share: number, digits = 0): string {
  return `${(share * 100).toFixed(digits)}${SPACE}%`;
}

/** The number of decimals at which the two ends of an interval, in per cent, differ. */
export function decimals({ low, high }: Range): number {
  const width = low === null || high === null ? 1 : high - low;
  if (width >= 0.03) return 0;
  return width >= 0.003 ? 1 : 2;
}

/** "71–77 %", with as many decimals as its ends need to differ. */
export function percentRange(range: Range, digits = decimals(range)): string {
  if (range.low === null || range.high === null) return '';
  return `${(range.low * 100).toFixed(digits)}–${percent(range.high, digits)}`;
}

/** "74 % (71–77 %)". */
export function estimate(value: number, range: Range): string {
  return `${percent(value, decimals(range))} (${percentRange(range)})`;
}

/** A difference of two shares: "+4 points", "−1 point". */
export function points(difference: number, digits = 0): string {
  const size = signed(difference, digits);
  return `${size}${SPACE}${/^.1$/.test(size) ? 'point' : 'points'}`;
}

/** "+1 to +7", with as many decimals as its ends need to differ. */
export function pointsRange(range: Range, digits = decimals(range)): string {
  if (range.low === null || range.high === null) return '';
  return `${signed(range.low, digits)} to ${signed(range.high, digits)}`;
}

function signed(difference: number, digits: number): string {
  const size = Math.abs(difference * 100).toFixed(digits);
  if (Number(size) === 0) return size;
  return `${difference < 0 ? '−' : '+'}${size}`;
}

/** A rounded number with two significant digits: "340", "10,000". */
export function about(number: number): string {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(number, 1))) - 1);
  return (Math.round(number / unit) * unit).toLocaleString('en');
}

/** A whole number: "18,240". */
export function whole(number: number): string {
  return number.toLocaleString('en');
}

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long' });

/** The local time of a moment, "14:32"; with the day when that is not today. */
export function clock(moment: string, now = new Date()): string {
  const date = new Date(moment);
  return date.toDateString() === now.toDateString() ? TIME.format(date) : `${TIME.format(date)} on ${DAY.format(date)}`;
}

/** The local time without the day: "14:00". */
export function hourOfDay(moment: string | number | Date): string {
  return TIME.format(new Date(moment));
}

const DAY_AND_MONTH = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** A day of the statistics, which are by UTC: "20 Nov". */
export function dayAndMonth(day: string | number): string {
  return DAY_AND_MONTH.format(new Date(day));
}
