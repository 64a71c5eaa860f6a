import { expect, test } from 'vitest';
import { empty, full } from './fixtures';
import { headline } from './headline';
import { legend, withRetiredNamed } from './retired';
import { approval } from './rows/approval';

/** The full day, after which the leader retired and the model that was second followed. */
function afterRetirement() {
  const stats = full();
  const models = stats.models.map((model) =>
    model.model === 'claude-sonnet-4-5'
      ? { ...model, leftOn: '2026-11-30', successor: 'gpt-4.1', verdict: null, votesNeeded: null }
      : { ...model, verdict: model.model === 'gpt-4.1' ? ('leads' as const) : model.verdict },
  );
  return withRetiredNamed({ ...stats, models, headline: { ...stats.headline, leader: 'gpt-4.1' } });
}

test('a retired model stays below the ranked ones and says who followed', () => {
  const { rows } = approval(afterRetirement(), 'recent');

  expect(rows.map((row) => row.name)).toEqual([
    'GPT-4.1',
    'Claude Haiku 4.5',
    'GPT-4.1-mini',
    'Claude Sonnet 4.5 †',
    'The collection',
  ]);
  expect(rows[3]?.remark).toBe('retired 30 November 2026');
});

test('the headline leaves retired models out', () => {
  const { sentence, detail } = headline(afterRetirement());

  expect(sentence).toMatch(/^GPT-4\.1 leads/);
  expect(detail).not.toContain('Next is Claude Sonnet');
});

test('the sign is explained where it is used', () => {
  const sentence = 'Claude Sonnet 4.5 † retired on 30 November 2026, and GPT-4.1 followed.';
  expect(legend(afterRetirement().models)).toContain(sentence);
  expect(legend(empty().models)).toBe('');
});
