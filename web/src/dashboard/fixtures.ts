/** Complete bodies of GET /stats for the tests. */

import type { Interval, Latency, ModelStats, StatsAnswer } from '../api/types';

export const NOTHING: Interval = { value: null, low: null, high: null };
export const UNKNOWN_SHARE: Interval = { value: null, low: 0, high: 1 };
export const NO_CALLS: Latency = { count: 0, mean: null, p50: null, p90: null, p99: null, histogram: [] };

export const CATALOGUE = [
  ['claude-haiku-4-5', 'Claude Haiku 4.5'],
  ['claude-sonnet-4-5', 'Claude Sonnet 4.5'],
  ['gpt-4.1', 'GPT-4.1'],
  ['gpt-4.1-mini', 'GPT-4.1-mini'],
] as const;

/** The model at this place of the catalogue without any data, except for `given`. */
export function model(place: number, given: Partial<ModelStats> = {}): ModelStats {
  const [id, source] = CATALOGUE[place] ?? [`model-${place}`, `Model ${place}`];
  return {
    model: id,
    source,
    vendor: id.startsWith('claude') ? 'anthropic' : 'openai',
    leftOn: null,
    successor: null,
    serves: 0,
    votes: 0,
    upvotes: 0,
    downvotes: 0,
    raw: { votes: 0, upvotes: 0, downvotes: 0 },
    approval: UNKNOWN_SHARE,
    latency: { single: NO_CALLS, round: NO_CALLS },
    tokens: { input: 0, output: 0 },
    refused: { count: 0, share: null, reasons: {} },
    cost: 0,
    costPer1000: null,
    costPerNetUpvote: null,
    costPerNetUpvoteInterval: { low: null, high: null },
    strength: NOTHING,
    verdict: 'too few votes',
    votesNeeded: 120,
    ...given,
  };
}

/** A model with this number of votes; `approval` is [value, low, high]. */
export function voted(place: number, votes: number, approval: [number | null, number, number], given = {}): ModelStats {
  const [value, low, high] = approval;
  const upvotes = Math.round(votes * (value ?? low));
  const counted = { votes, upvotes, downvotes: votes - upvotes };
  const base = { ...counted, raw: counted, approval: { value, low, high }, serves: votes * 9 };
  return model(place, { ...base, votesNeeded: value === null ? 120 - votes : 0, ...given });
}

/** Statistics without any data, except for `given`. */
export function empty(given: Partial<StatsAnswer> = {}): StatsAnswer {
  const none = { votes: 0, upvotes: 0, downvotes: 0 };
  return {
    generatedAt: '2026-11-20T14:32:10Z',
    stale: false,
    simulated: false,
    confidence: 0.95,
    relativeError: 0.0219,
    totals: { serves: 0, raw: none, filtered: none, burstVotes: 60, calls: 0, sayings: 0, cost: 0, unpricedCalls: 0 },
    hours: hours(),
    services: [],
    comparisons: { count: 0, raw: 0, ties: 0, none: 0, matrix: {} },
    models: CATALOGUE.map((_, place) => model(place)),
    collection: { serves: 0, ...none, approval: UNKNOWN_SHARE },
    ...given,
  };
}

/** Statistics with enough votes for one model only. */
export function low(): StatsAnswer {
  return empty({
    models: [
      voted(0, 61, [null, 0.53, 0.77]),
      voted(1, 130, [0.738, 0.657, 0.806], { votesNeeded: 59 }),
      voted(2, 42, [null, 0.53, 0.81]),
      model(3),
    ],
  });
}

/** A day of full data: Claude Sonnet 4.5 leads, and some votes on GPT-4.1 came in bursts. */
export function full(): StatsAnswer {
  const [haiku, sonnet, gpt, mini] = [
    voted(0, 1200, [0.66, 0.633, 0.686], { verdict: 'trails', costPer1000: 0.44, cost: 5.19 }),
    voted(1, 1190, [0.742, 0.717, 0.766], { verdict: 'leads', costPer1000: 1.31, cost: 14 }),
    voted(2, 1225, [0.681, 0.654, 0.706], { verdict: 'trails', costPer1000: 0.76, cost: 8 }),
    voted(3, 1180, [0.613, 0.585, 0.64], { verdict: 'trails', costPer1000: 0.15, cost: 1.6 }),
  ];
  const withBursts = { ...gpt, raw: { votes: 1325, upvotes: gpt.upvotes + 100, downvotes: gpt.downvotes } };
  return empty({
    totals: {
      serves: 52_860,
      raw: { votes: 4895, upvotes: 3300, downvotes: 1595 },
      filtered: { votes: 4795, upvotes: 3200, downvotes: 1595 },
      burstVotes: 60,
      calls: 3320,
      sayings: 7952,
      cost: 28.79,
      unpricedCalls: 0,
    },
    models: [
      haiku,
      { ...sonnet, strength: { value: 1.2, low: 1.13, high: 1.28 } },
      { ...withBursts, strength: { value: 1.12, low: 0.98, high: 1.19 } },
      { ...mini, strength: { value: 0.78, low: 0.73, high: 0.83 } },
    ],
    comparisons: {
      count: 200,
      raw: 203,
      ties: 20,
      none: 6,
      matrix: {
        'claude-sonnet-4-5': { 'gpt-4.1': { wins: 60, losses: 40, ties: 10 } },
        'gpt-4.1': { 'claude-sonnet-4-5': { wins: 40, losses: 60, ties: 10 } },
      },
    },
    services: [
      { service: 'Amazon S3', votes: 400, approval: { value: 0.7, low: 0.65, high: 0.74 } },
      { service: 'AWS Lambda', votes: 300, approval: { value: 0.8, low: 0.75, high: 0.84 } },
      { service: 'AWS IAM', votes: 12, approval: { value: null, low: 0.4, high: 0.9 } },
    ],
    collection: {
      serves: 9000,
      votes: 500,
      upvotes: 350,
      downvotes: 150,
      approval: { value: 0.7, low: 0.66, high: 0.74 },
    },
  });
}

function hours(): StatsAnswer['hours'] {
  const last = Date.parse('2026-11-20T14:00:00Z');
  return Array.from({ length: 24 }, (_, index) => ({
    hour: `${new Date(last - (23 - index) * 3_600_000).toISOString().slice(0, 19)}Z`,
    serves: 0,
    votes: 0,
  }));
}
