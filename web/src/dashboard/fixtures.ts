/** Complete bodies of GET /stats for the tests. */

import type { Answered, Comparisons, Figures, Interval, Latency, ModelStats, StatsAnswer } from '../api/types';

type Triple = [value: number | null, low: number | null, high: number | null];

export const interval = ([value, low, high]: Triple): Interval => ({ value, low, high });
export const NOTHING: Interval = interval([null, null, null]);
export const NO_CALLS: Latency = { asked: 0, answered: 0, p50: null, p90: null, p99: null, histogram: [] };
const NO_ANSWERS: Answered = { asked: 0, answered: 0, failed: {}, share: NOTHING };
const NO_VOTES = { votes: 0, upvotes: 0 };

export const CATALOGUE = [
  ['claude-haiku-4-5', 'Claude Haiku 4.5'],
  ['claude-sonnet-4-5', 'Claude Sonnet 4.5'],
  ['gpt-4.1', 'GPT-4.1'],
  ['gpt-4.1-mini', 'GPT-4.1-mini'],
] as const;

/** The figures of a period without any data, except for `given`. */
export function figures(given: Partial<Figures> = {}): Figures {
  return {
    votes: NO_VOTES,
    named: NO_VOTES,
    open: NO_VOTES,
    unverified: 0,
    setAside: 0,
    approval: NOTHING,
    designEffect: null,
    brandEffect: NOTHING,
    ballots: 0,
    wins: 0,
    picked: NOTHING,
    pickedOfAsked: NOTHING,
    answered: NO_ANSWERS,
    answeredByKind: {},
    refused: { count: 0, share: null, reasons: {} },
    latency: { single: NO_CALLS, round: NO_CALLS },
    tokens: { input: 0, output: 0 },
    cost: { total: null, per1000: null, perNetUpvote: NOTHING, perBlindWin: null },
    ...given,
  };
}

/** The model at this place of the catalogue; its figures of both periods are the same. */
export function model(place: number, shown: Partial<Figures> = {}, given: Partial<ModelStats> = {}): ModelStats {
  const [id, source] = CATALOGUE[place] ?? [`model-${place}`, `Model ${place}`];
  return {
    model: id,
    source,
    vendor: id.startsWith('claude') ? 'anthropic' : 'openai',
    leftOn: null,
    successor: null,
    serves: 0,
    voters: 0,
    sayings: 0,
    verdict: 'too few votes',
    votesNeeded: Math.max(0, 120 - (shown.votes?.votes ?? 0)) || null,
    recent: figures(shown),
    allTime: figures(shown),
    days: [],
    marks: [],
    ...given,
  };
}

/** A model with this number of blind votes; `approval` is its value and its interval. */
export function voted(
  place: number,
  votes: number,
  approval: Triple,
  given: Partial<ModelStats> = {},
  shown: Partial<Figures> = {},
): ModelStats {
  const upvotes = Math.round(votes * (approval[0] ?? 0.6));
  const counted = { votes: { votes, upvotes }, approval: interval(approval), ...shown };
  const people = { voters: Math.ceil(votes / 4), sayings: Math.ceil(votes / 8), serves: votes * 9 };
  return model(place, counted, { ...people, ...given });
}

const NO_COMPARISONS: Comparisons = { ballots: 0, setAside: 0, tied: NOTHING, none: NOTHING, matrix: {} };

/** Statistics without any data, except for `given`. */
export function empty(given: Partial<StatsAnswer> = {}): StatsAnswer {
  return {
    generatedAt: '2026-11-20T14:32:10Z',
    stale: false,
    simulated: false,
    confidence: 0.95,
    relativeError: 0.0219,
    recentDays: 30,
    headline: { leader: null, decisiveVotes: null, pickedLeader: null, disagree: false, fallen: null },
    models: CATALOGUE.map((_, place) => model(place)),
    comparisons: { recent: NO_COMPARISONS, allTime: NO_COMPARISONS },
    totals: {
      serves: 0,
      votes: NO_VOTES,
      named: NO_VOTES,
      open: NO_VOTES,
      unverified: 0,
      setAside: 0,
      calls: 0,
      sayings: 0,
      cost: 0,
      unpricedCalls: 0,
    },
    hours: hours(),
    services: [],
    collection: { serves: 0, votes: NO_VOTES, approval: NOTHING },
    analysis: null,
    ...given,
  };
}

/** Statistics with enough votes for one model only. */
export function low(): StatsAnswer {
  return empty({
    models: [
      voted(1, 330, [0.738, 0.657, 0.806]),
      voted(0, 61, [null, null, null]),
      voted(2, 125, [null, null, null], { voters: 21 }),
      model(3),
    ],
  });
}

/** Full data: Claude Sonnet 4.5 leads in votes and in comparisons. */
export function full(): StatsAnswer {
  const pair = (wins: number, losses: number, ties: number, share: Triple, verdict: 'ahead' | 'behind' | null) => ({
    wins,
    losses,
    ties,
    share: interval(share),
    verdict,
  });
  const comparisons: Comparisons = {
    ballots: 200,
    setAside: 3,
    tied: interval([0.1, 0.06, 0.15]),
    none: interval([0.03, 0.01, 0.06]),
    matrix: {
      'claude-sonnet-4-5': { 'gpt-4.1': pair(60, 40, 10, [0.6, 0.52, 0.68], 'ahead') },
      'gpt-4.1': {
        'claude-sonnet-4-5': pair(40, 60, 10, [0.4, 0.32, 0.48], 'behind'),
        'gpt-4.1-mini': pair(55, 45, 10, [0.55, 0.45, 0.65], null),
      },
    },
  };
  return empty({
    headline: {
      leader: 'claude-sonnet-4-5',
      decisiveVotes: 47,
      pickedLeader: 'claude-sonnet-4-5',
      disagree: false,
      fallen: null,
    },
    models: [
      voted(1, 1190, [0.742, 0.717, 0.766], { verdict: 'leads', votesNeeded: 0 }, sonnet()),
      voted(2, 1225, [0.681, 0.654, 0.706], { verdict: 'trails', votesNeeded: 0 }, gpt()),
      voted(0, 1200, [0.66, 0.633, 0.686], { verdict: 'trails', votesNeeded: 0 }, { cost: cost(0.44, 5.19) }),
      voted(3, 1180, [0.613, 0.585, 0.64], { verdict: 'trails', votesNeeded: 0 }, mini()),
    ],
    comparisons: { recent: comparisons, allTime: comparisons },
    totals: {
      serves: 52_860,
      votes: { votes: 4795, upvotes: 3200 },
      named: { votes: 4700, upvotes: 3290 },
      open: { votes: 310, upvotes: 200 },
      unverified: 40,
      setAside: 112,
      calls: 3320,
      sayings: 7952,
      cost: 28.79,
      unpricedCalls: 0,
    },
    services: [
      { service: 'Amazon S3', votes: 400, approval: 0.7, models: [] },
      { service: 'AWS Lambda', votes: 300, approval: 0.8, models: [] },
      { service: 'AWS IAM', votes: 12, approval: null, models: [{ model: 'gpt-4.1', votes: 12, approval: null }] },
    ],
    collection: { serves: 9000, votes: { votes: 500, upvotes: 350 }, approval: interval([0.7, 0.66, 0.74]) },
  });
}

const cost = (per1000: number, total: number): Figures['cost'] => ({
  total,
  per1000,
  perNetUpvote: interval([per1000 / 480, per1000 / 520, per1000 / 440]),
  perBlindWin: 0.01,
});

const sonnet = (): Partial<Figures> => ({
  picked: interval([0.36, 0.32, 0.4]),
  pickedOfAsked: interval([0.35, 0.31, 0.39]),
  ballots: 174,
  wins: 63,
  brandEffect: interval([0.041, 0.01, 0.072]),
  named: { votes: 1180, upvotes: 924 },
  setAside: 112,
  cost: cost(1.31, 14),
  answered: { asked: 400, answered: 392, failed: { timeout: 6, rate_limited: 2 }, share: interval([0.98, 0.97, 0.99]) },
  latency: {
    single: { asked: 200, answered: 196, p50: 1900, p90: 3000, p99: null, histogram: [] },
    round: NO_CALLS,
  },
});

const gpt = (): Partial<Figures> => ({
  picked: interval([0.27, 0.22, 0.32]),
  brandEffect: interval([-0.01, -0.04, 0.02]),
  named: { votes: 1170, upvotes: 785 },
  cost: cost(0.76, 8),
});

const mini = (): Partial<Figures> => ({ picked: interval([0.17, 0.13, 0.21]), cost: cost(0.15, 1.6) });

function hours(): StatsAnswer['hours'] {
  const last = Date.parse('2026-11-20T14:00:00Z');
  return Array.from({ length: 24 }, (_, index) => ({
    hour: `${new Date(last - (23 - index) * 3_600_000).toISOString().slice(0, 19)}Z`,
    serves: 0,
    votes: 0,
  }));
}
