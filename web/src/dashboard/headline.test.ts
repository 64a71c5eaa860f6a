import { describe, expect, test } from 'vitest';
import { empty, full, low, model, voted } from './fixtures';
import { headline, unbroken } from './headline';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

function said(models: ReturnType<typeof model>[]) {
  const { sentence, detail } = headline(empty({ models }));
  return { sentence: plain(sentence), detail: plain(detail) };
}

const close = { verdict: 'too close to call' } as const;

describe('the headline', () => {
  test('names the leader, its interval, and the next model', () => {
    const { sentence, detail } = headline(full());

    expect(plain(sentence)).toBe('Claude Sonnet 4.5 leads with 74 % (72–77 %)');
    expect(plain(detail)).toBe('Next is GPT-4.1 with 68 % (65–71 %); their 95 % intervals are apart.');
  });

  test('says which models are too close, and what would settle it', () => {
    const { sentence, detail } = said([
      voted(0, 1200, [0.66, 0.633, 0.686], { verdict: 'trails' }),
      voted(1, 1190, [0.7, 0.67, 0.73], { ...close, votesNeeded: 10_444 }),
      voted(2, 1225, [0.68, 0.65, 0.71], { ...close, votesNeeded: 10_444 }),
    ]);

    expect(sentence).toBe(
      'Too close to call between Claude Sonnet 4.5 and GPT-4.1: about 10,000 more votes each would settle it',
    );
    expect(detail).toBe('Claude Sonnet 4.5 is ahead with 70 % (67–73 %), but the 95 % intervals overlap.');
  });

  test('names all models that are as good, the best first', () => {
    const { sentence } = said([
      voted(0, 400, [0.42, 0.37, 0.47], { ...close, votesNeeded: 200 }),
      voted(1, 400, [0.45, 0.4, 0.5], { ...close, votesNeeded: 1128 }),
      voted(2, 400, [0.44, 0.39, 0.49], { ...close, votesNeeded: 1128 }),
    ]);

    expect(sentence).toContain('between Claude Sonnet 4.5, GPT-4.1 and Claude Haiku 4.5: about 1,100 more');
  });

  test('promises nothing when no number of votes would do', () => {
    const { sentence, detail } = said([
      voted(0, 400, [0.5, 0.45, 0.55], { ...close, votesNeeded: null }),
      voted(1, 400, [0.5, 0.45, 0.55], { ...close, votesNeeded: null }),
    ]);

    expect(sentence).toBe('Too close to call between Claude Haiku 4.5 and Claude Sonnet 4.5');
    expect(detail).toContain('not even a million more votes');
  });

  test('says which models have too few votes', () => {
    const { detail } = said([
      voted(0, 1200, [0.6, 0.57, 0.63], { verdict: 'trails' }),
      voted(1, 1200, [0.7, 0.67, 0.73], { verdict: 'leads' }),
      voted(2, 30, [null, 0.4, 0.8]),
      model(3),
    ]);

    expect(detail).toMatch(/GPT-4\.1 and GPT-4\.1-mini have too few votes yet\.$/);
  });

  test('gives a close interval more digits', () => {
    const { sentence } = said([
      voted(0, 250_000, [0.66, 0.658, 0.662], { verdict: 'trails' }),
      voted(1, 250_000, [0.742, 0.74, 0.7437], { verdict: 'leads' }),
    ]);

    expect(sentence).toBe('Claude Sonnet 4.5 leads with 74.2 % (74.0–74.4 %)');
  });
});

describe('with too few votes', () => {
  test('there may be no votes at all', () => {
    expect(headline(empty())).toEqual({
      sentence: 'No votes yet',
      detail: 'A model is compared once it has 120 votes.',
    });
  });

  test('one model waits for a second', () => {
    const { sentence, detail } = headline(low());

    expect(sentence).toBe('Too few votes yet: about 59 more on one more model would allow a first comparison');
    expect(plain(detail)).toMatch(/^So far only Claude Sonnet 4\.5 has enough: 74 % \(66–81 %\)\. A model is compared/);
  });

  test('the two models that need the fewest count', () => {
    const { sentence } = said([voted(0, 16, [null, 0.4, 0.8]), voted(1, 21, [null, 0.4, 0.9]), model(2)]);

    expect(sentence).toBe('Too few votes yet: about 200 more on two models would allow a first comparison');
  });

  test('a single model cannot be compared', () => {
    const { sentence } = said([voted(0, 500, [0.6, 0.55, 0.64], { verdict: 'too few votes', votesNeeded: null })]);

    expect(sentence).toBe('Too few votes yet');
  });
});

test('names and intervals are not broken across lines', () => {
  expect(unbroken('GPT-4.1-mini 4.5 (71–77 %)')).toBe(
    'GPT\u2060-\u20604.1\u2060-\u2060mini\u00a04.5 (71\u2060–\u206077 %)',
  );
});
