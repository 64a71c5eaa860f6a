import { describe, expect, test } from 'vitest';
import type { ModelStats, StatsAnswer } from '../api/types';
import { empty, full, low, model, voted } from './fixtures';
import { headline, unbroken } from './headline';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

function said(models: ModelStats[], given: Partial<StatsAnswer['headline']> = {}) {
  const stats = empty();
  const { sentence, detail } = headline({ ...stats, models, headline: { ...stats.headline, ...given } });
  return { sentence: plain(sentence), detail: plain(detail) };
}

const close = { verdict: 'too close to call' } as const;
const within = { verdict: 'within 3 points' } as const;
const TWO = [
  voted(1, 1190, [0.7, 0.67, 0.73], { ...close, votesNeeded: 10_444 }),
  voted(2, 1225, [0.68, 0.65, 0.71], { ...close, votesNeeded: 10_444 }),
];

describe('the headline', () => {
  test('names the leader, the measure, the next and the margin', () => {
    const { sentence, detail } = headline(full());

    expect(plain(sentence)).toBe('Claude Sonnet 4.5 leads: 74 % (72–77 %) of blind votes are thumbs up');
    expect(plain(detail)).toBe(
      'Counted are first votes in the last 30 days, given before the author was shown. Next is GPT-4.1 with 68 % ' +
        '(65–71 %). If 47 votes had been the opposite, another model would have the highest share. In comparisons ' +
        'side by side, too, Claude Sonnet 4.5 is preferred to every other model with enough comparisons.',
    );
  });

  test('says which models are too close, and what would settle it', () => {
    const trailing = voted(0, 1200, [0.6, 0.573, 0.626], { verdict: 'trails' });

    const { sentence, detail } = said([...TWO, trailing]);

    expect(sentence).toBe('Too close to call in blind votes between Claude Sonnet 4.5 and GPT-4.1');
    expect(detail).toMatch(
      /Claude Sonnet 4\.5 has 70 % \(67–73 %\), GPT-4\.1 has 68 % \(65–71 %\)\. About 10,000 more votes each would settle it\.$/,
    );
  });

  test('promises nothing when that cannot be said', () => {
    const { detail } = said(TWO.map((one) => ({ ...one, votesNeeded: null })));

    expect(detail).not.toContain('settle');
  });

  test('says when models are practically equal', () => {
    const { sentence } = said(TWO.map((one) => ({ ...one, ...within })));

    expect(sentence).toBe('Claude Sonnet 4.5 and GPT-4.1 are no more than 3 points apart in blind votes');
  });

  test('does not hold on to a model that has fallen', () => {
    const { sentence, detail } = said(TWO, { fallen: 'claude-sonnet-4-5' });

    expect(sentence).toBe('Claude Sonnet 4.5 leads in blind votes over 30 days, but not over the last seven');
    expect(detail).toContain('in the last seven days another model did better');
  });

  test('says which models have too few votes', () => {
    const { detail } = said([...TWO, voted(0, 30, [null, null, null]), model(3)]);

    expect(detail).toMatch(/Claude Haiku 4\.5 and GPT-4\.1-mini have too few votes yet\.$/);
  });

  test('gives a close interval more digits', () => {
    const models = [voted(1, 250_000, [0.742, 0.74, 0.7437]), voted(0, 250_000, [0.66, 0.658, 0.662])];

    const { sentence } = said(models, { leader: 'claude-sonnet-4-5' });

    expect(sentence).toBe('Claude Sonnet 4.5 leads: 74.2 % (74.0–74.4 %) of blind votes are thumbs up');
  });
});

describe('what comparisons say beside the votes', () => {
  const leader = 'claude-sonnet-4-5';

  test.each([
    [
      { leader, pickedLeader: leader },
      'In comparisons side by side, too, Claude Sonnet 4.5 is preferred to every other',
    ],
    [{ pickedLeader: 'gpt-4.1' }, 'In comparisons side by side, GPT-4.1 is preferred to every other model'],
    [{ leader, pickedLeader: 'gpt-4.1', disagree: true }, 'say otherwise: there, GPT-4.1 is preferred'],
    [{ leader, disagree: true }, 'But of at least two models, comparisons side by side say the opposite of the votes'],
    [{ leader, pickedLeader: leader, disagree: true }, 'preferred to .+ But of at least two models'],
  ])('%j', (given, words) => {
    expect(said(TWO, given).detail).toMatch(new RegExp(`${words}.*\\.$`));
  });

  test('is left out when they say nothing', () => {
    expect(said(TWO, { leader }).detail).not.toContain('omparisons');
  });
});

describe('with too few votes', () => {
  const rule =
    'A model is compared once it has 120 blind votes, from at least 30 people and on at least 30 of its sayings.';

  test('there may be none at all', () => {
    expect(headline(empty())).toEqual({ sentence: 'No blind votes yet', detail: `Yours could be the first. ${rule}` });
  });

  test('there may be none lately', () => {
    const totals = { ...empty().totals, votes: { votes: 900, upvotes: 600 } };

    expect(headline(empty({ totals })).sentence).toBe('No blind votes in the last 30 days');
  });

  test('one model waits for a second', () => {
    const { sentence, detail } = headline(low());

    expect(sentence).toBe('Too few blind votes yet to compare the models');
    expect(plain(detail)).toBe(`So far only Claude Sonnet 4.5 has enough: 74 % (66–81 %). ${rule}`);
  });
});

test('names and intervals are not broken across lines', () => {
  expect(unbroken('GPT-4.1-mini 4.5 (71–77 %)')).toBe(
    'GPT\u2060-\u20604.1\u2060-\u2060mini\u00a04.5 (71\u2060–\u206077 %)',
  );
});
