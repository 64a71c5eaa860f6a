import { degradation, isSimulated, retryAfter, retryWords, timing, troubleWords, voteWords } from './words.js';

const $ = (id) => document.getElementById(id);
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const TIMEOUT = 30_000;
const SLOW = 1_500;
const LONG = 120; // characters, from here on in smaller type

// Asking the server

class Trouble extends Error {
  constructor(message, { requestId = null, wait = null, status = 0 } = {}) {
    super(message);
    Object.assign(this, { requestId, wait, status });
  }
}

async function call(path, init = {}, controller = new AbortController()) {
  const timer = setTimeout(() => controller.abort('timeout'), TIMEOUT);
  try {
    const response = await fetch(path, { ...init, signal: controller.signal });
    const text = await response.text();
    let body = null;
    try {
      body = JSON.parse(text);
    } catch { /* not JSON: an empty body, or a proxy's error page */ }
    if (response.ok) return body;
    throw new Trouble(body?.error?.message || `The server answered ${response.status}.`, {
      status: response.status,
      requestId: body?.requestId,
      wait: [429, 503].includes(response.status) ? retryAfter(response.headers.get('Retry-After')) : null,
    });
  } catch (error) {
    if (error instanceof Trouble) throw error;
    if (controller.signal.reason === 'timeout') throw new Trouble(`No answer came within ${TIMEOUT / 1000} seconds.`);
    throw new Trouble(navigator.onLine ? 'The server could not be reached.' : 'You seem to be offline.');
  } finally {
    clearTimeout(timer);
  }
}

// The line under the buttons

let again;

function say(text, kind = '') {
  clearTimeout(again);
  $('status').textContent = text;
  $('status').dataset.kind = kind;
}

function sayTrouble(error, prefix = '') {
  const { message, requestId, wait } = error instanceof Trouble ? error : { message: 'Something went wrong on this page' };
  if (!(error instanceof Trouble)) console.error(error);
  say(troubleWords(prefix, message, wait), 'error');
  if (requestId) {
    const id = document.createElement('code');
    id.textContent = `Request ${requestId}`;
    $('status').append(' ', id);
  }
  if (wait > 0 && wait < 86_400) again = setTimeout(() => say(retryWords(0)), wait * 1000);
}

// The saying

let latest = null; // the controller of the newest request: its answer wins
let shown = null; // the ballot of the saying on the page

function show(answer) {
  const { saying, source, services } = answer;
  $('saying').textContent = saying;
  $('saying').dataset.length = saying.length > LONG ? 'long' : 'short';
  $('source').textContent = source;
  $('services').textContent = Array.isArray(services) ? services.join(' · ') : '';
  $('timing').textContent = timing(answer);
  $('degraded').textContent = degradation(answer);
  $('simulated').hidden = !isSimulated(source);
  shown = ballotFor(answer);
  drawVotes();
  if (!calm.matches) {
    $('saying').animate({ opacity: [0, 1], transform: ['translateY(.3em)', 'none'] }, { duration: 240, easing: 'ease-out' });
  }
}

async function another() {
  latest?.abort('newer');
  const mine = (latest = new AbortController());
  $('stage').setAttribute('aria-busy', 'true');
  say('');
  const slow = setTimeout(() => say('Still waiting: a saying written live takes a few seconds.', 'wait'), SLOW);
  try {
    const answer = await call('/sayings', {}, mine);
    if (mine !== latest) return;
    if (typeof answer?.saying !== 'string') throw new Trouble('The server’s answer held no saying.');
    show(answer);
    if ($('status').dataset.kind === 'wait') say('');
  } catch (error) {
    if (mine !== latest) return;
    if (!shown) $('saying').textContent = 'No saying yet.';
    sayTrouble(error);
  } finally {
    clearTimeout(slow);
    if (mine === latest) $('stage').setAttribute('aria-busy', 'false');
  }
}

// Votes

// What is wanted and what the server has (mine) are kept apart, per saying: presses are taken at
// once, requests go one after the other, and the last press is what ends up on the server.
const ballots = new Map();

function ballotFor(answer) {
  const key = answer.sayingId ?? answer.saying;
  const ballot = ballots.get(key) ?? { wanted: null, mine: null, up: null, down: null, busy: false };
  ballots.set(key, ballot);
  return Object.assign(ballot, { answer });
}

function drawVotes() {
  for (const [id, type] of [['up', 'POSITIVE'], ['down', 'NEGATIVE']]) {
    $(id).disabled = !shown;
    $(id).setAttribute('aria-pressed', shown?.wanted === type);
    $(id).querySelector('.count').textContent = shown?.[id] ?? '';
  }
}

function send({ saying, sayingId, source, executionTime, isCached, originalLlmTime }, feedbackType) {
  if (!feedbackType) return call(`/feedback/${encodeURIComponent(sayingId)}`, { method: 'DELETE' });
  const vote = { saying, sayingId, source, feedbackType, executionTime, isCached, originalLlmTime };
  return call('/feedback', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(vote, (_, value) => value ?? undefined), // what is not known is left out
  });
}

async function vote(type) {
  const ballot = shown;
  if (!ballot) return;
  ballot.wanted = ballot.wanted === type ? null : type;
  drawVotes();
  if (ballot.busy) return;
  ballot.busy = true;
  try {
    while (ballot.wanted !== ballot.mine) {
      const goal = ballot.wanted;
      const result = await send(ballot.answer, goal).catch((error) => {
        if (goal || error.status !== 404) throw error;
        return null; // there was no vote to take back
      });
      ballot.mine = goal;
      ballot.up = result?.upvotes ?? null;
      ballot.down = result?.downvotes ?? null;
      if (ballot === shown) say(voteWords(goal, result?.status));
    }
  } catch (error) {
    ballot.wanted = ballot.mine;
    sayTrouble(error, ballot === shown ? 'Your vote was not stored.' : 'Your vote on an earlier saying was not stored.');
  } finally {
    ballot.busy = false;
    drawVotes();
  }
}

// Hands

$('another').addEventListener('click', another);
$('up').addEventListener('click', () => vote('POSITIVE'));
$('down').addEventListener('click', () => vote('NEGATIVE'));
document.addEventListener('keydown', (event) => {
  if (event.key !== ' ' || event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest?.('a, button, input, select, textarea, summary, [contenteditable]')) return;
  event.preventDefault();
  another();
});

another();
