/** What the blind votes show and how certain that is: one sentence, and details that explain it. */

import type { ModelStats, StatsAnswer } from '../api/types';
import { count, list } from '../shared/words';
import { about, estimate } from './figures';
import { during } from './period';
import { ranking } from './retired';

type Measured = ModelStats & { recent: { approval: { value: number } } };

export interface Headline {
  sentence: string;
  detail: string;
}

export function headline(stats: StatsAnswer): Headline {
  const models = ranking(stats.models);
  const measured = models.filter(isMeasured);
  if (!models.some((model) => model.recent.votes.votes > 0)) return noVotes(stats);
  if (measured.length < 2) return tooFew(measured);
  const { sentence, detail } = standing(stats, measured);
  return { sentence, detail: [detail, picks(stats), remark(models)].filter(Boolean).join(' ') };
}

/** Adds joiners, so that no name, version or interval is broken across lines. */
export function unbroken(sentence: string): string {
  return sentence.replace(/ (?=\d\.\d)/g, '\u00a0').replace(/(?<=[\w.])[-–](?=\w)/g, '\u2060$&\u2060');
}

function isMeasured(model: ModelStats): model is Measured {
  return model.recent.approval.value !== null;
}

function noVotes(stats: StatsAnswer): Headline {
  const ever = stats.totals.votes.votes > 0;
  if (ever) return { sentence: `No blind votes ${during(stats, 'recent')}`, detail: RULE };
  return { sentence: 'No blind votes yet', detail: `Yours could be the first. ${RULE}` };
}

const RULE =
  'A model is compared once it has 120 blind votes, from at least 30 people and on at least 30 of its sayings.';

function tooFew(measured: readonly Measured[]): Headline {
  const alone = measured.map((model) => `So far only ${model.source} has enough: ${approval(model)}.`);
  return { sentence: 'Too few blind votes yet to compare the models', detail: [...alone, RULE].join(' ') };
}

function standing(stats: StatsAnswer, measured: readonly Measured[]): Headline {
  const { leader: leading, fallen: falling } = stats.headline;
  const leader = measured.find(({ model }) => model === leading);
  if (leader) return leads(stats, leader, measured);
  const fallen = measured.find(({ model }) => model === falling);
  if (fallen) return noLonger(stats, fallen);
  return open(stats, measured);
}

function leads(stats: StatsAnswer, leader: Measured, measured: readonly Measured[]): Headline {
  const next = measured.find((model) => model !== leader) as Measured;
  const { decisiveVotes: decisive } = stats.headline;
  const margin = decisive
    ? ` If ${count(decisive, 'vote')} had been the opposite, another model would have the highest share.`
    : '';
  return {
    sentence: `${leader.source} leads: ${approval(leader)} of blind votes are thumbs up`,
    detail: `${basis(stats)} Next is ${next.source} with ${approval(next)}.${margin}`,
  };
}

function noLonger(stats: StatsAnswer, fallen: Measured): Headline {
  return {
    sentence: `${fallen.source} leads in blind votes over ${stats.recentDays} days, but not over the last seven`,
    detail: `${basis(stats)} ${fallen.source} has ${approval(fallen)}, but in the last seven days another model did better.`,
  };
}

function open(stats: StatsAnswer, measured: readonly Measured[]): Headline {
  const contenders = measured.filter(({ verdict }) => verdict !== 'trails');
  const names = list(contenders.map(({ source }) => source));
  const shares = contenders.map((model) => `${model.source} has ${approval(model)}`).join(', ');
  const close = contenders.every(({ verdict }) => verdict === 'within 3 points');
  const needed = contenders[0]?.votesNeeded;
  const settling = needed ? ` About ${about(needed)} more votes each would settle it.` : '';
  return {
    sentence: close
      ? `${names} are no more than 3 points apart in blind votes`
      : `Too close to call in blind votes between ${names}`,
    detail: `${basis(stats)} ${shares}.${close ? '' : settling}`,
  };
}

function approval({ recent }: Measured): string {
  return estimate(recent.approval.value, recent.approval);
}

/** What the sentence rests on. */
function basis(stats: StatsAnswer): string {
  return `Counted are first votes ${during(stats, 'recent')}, given before the author was shown.`;
}

/** What the comparisons say, which are another measure, and whether that is the same. */
function picks({ headline: { leader, pickedLeader, disagree }, models }: StatsAnswer): string {
  const picked = models.find(({ model }) => model === pickedLeader)?.source;
  const opposite = 'of at least two models, comparisons side by side say the opposite of the votes.';
  if (!picked) return disagree ? `But ${opposite}` : '';
  const few = ranking(models).some((model) => model.recent.picked.value === null);
  const preferred = `${picked} is preferred to every other model${few ? ' with enough comparisons' : ''}`;
  if (leader && leader !== pickedLeader) return `Comparisons side by side say otherwise: there, ${preferred}.`;
  const also = leader
    ? `In comparisons side by side, too, ${preferred}.`
    : `In comparisons side by side, ${preferred}.`;
  return disagree ? `${also} But ${opposite}` : also;
}

function remark(models: readonly ModelStats[]): string {
  const waiting = models.filter((model) => !isMeasured(model)).map((model) => model.source);
  if (!waiting.length) return '';
  return `${list(waiting)} ${waiting.length > 1 ? 'have' : 'has'} too few votes yet.`;
}
