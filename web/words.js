// The plain words of the page: pure functions from an answer of the server to a sentence.

const known = (ms) => Number.isFinite(ms) && ms >= 0;

/** Milliseconds as people say them: "0.4 ms", "12 ms", "1.2 s", "2 min 5 s". */
export function duration(ms) {
  if (ms < 0.05) return 'under 0.1\u00a0ms';
  if (ms < 9.95) return `${ms.toFixed(1)}\u00a0ms`;
  if (ms < 999.5) return `${Math.round(ms)}\u00a0ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)}\u00a0s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}\u00a0min ${seconds % 60}\u00a0s`;
}

const places = { cache: 'from the warm pool', database: 'from the database', builtin: 'from the built-in collection' };

/** Where the saying came from and how long that took; who wrote it stands in its source, above. */
export function timing({ origin, executionTime, originalLlmTime, metrics }) {
  if (origin === 'live') {
    const wrote = metrics?.apiLatency ?? originalLlmTime ?? executionTime;
    return known(wrote) ? `Written live in ${duration(wrote)}.` : 'Written live.';
  }
  const from = (places[origin] ?? 'from the server').replace('f', 'F');
  const answered = known(executionTime) ? `, answered in ${duration(executionTime)}` : '';
  const wrote = known(originalLlmTime) ? `; written in ${duration(originalLlmTime)}` : '';
  return `${from}${answered}${wrote}.`;
}

const reasons = [
  [/budget|spend/, 'The model budget is used up for now'],
  [/pool|cache/, 'The warm pool had nothing fresh'],
  [/database|store/, 'The database had no saying to give'],
  [/timeout|deadline/, 'The model took too long'],
  [/rate_?limit|throttl/, 'The models are busy right now'],
  [/live|model|vendor|key|breaker/, 'No model could answer'],
];

/** Why the answer did not come from where it should have; empty when it did. */
export function degradation({ degraded, origin }) {
  if (!degraded) return '';
  const why = reasons.find(([pattern]) => pattern.test(degraded))?.[1] ?? 'The usual way was closed';
  return `${why}, so this saying ${places[origin] ? `comes ${places[origin]}` : 'was written live'}.`;
}

export const isSimulated = (source) => String(source).endsWith('(simulated)');

/** Seconds to wait by a Retry-After header (seconds or a date); null when it says nothing. */
export function retryAfter(header, now = Date.now()) {
  if (!header?.trim()) return null;
  const seconds = Number.isNaN(Number(header)) ? (Date.parse(header) - now) / 1000 : Number(header);
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : null;
}

/** When to try again: "Try again in 30 seconds, at 14:03:20." */
export function retryWords(seconds, now = Date.now()) {
  if (seconds <= 0) return 'You can try again now.';
  const [count, unit] = seconds < 120 ? [seconds, 'second'] : [Math.ceil(seconds / 60), 'minute'];
  const clock = new Date(now + seconds * 1000).toLocaleTimeString();
  return `Try again in ${count} ${unit}${count === 1 ? '' : 's'}, at ${clock}.`;
}

/** What went wrong, in the server's words, and when to try again. */
export function troubleWords(prefix, message, wait) {
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  return [prefix, sentence, Number.isFinite(wait) ? retryWords(wait) : ''].filter(Boolean).join(' ');
}

/** What became of a vote; `type` is null when it was taken back. */
export function voteWords(type, status) {
  if (!type) return 'Your vote is taken back.';
  const thumb = type === 'POSITIVE' ? 'thumbs up' : 'thumbs down';
  if (status === 'changed') return `Your vote is now a ${thumb}.`;
  return status === 'unchanged' ? `Your ${thumb} was counted before.` : `Your ${thumb} is counted.`;
}
