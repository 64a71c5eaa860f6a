/** What the data show and how certain that is: one sentence, and details that explain it. */

import type { ModelStats, StatsAnswer } from '../api/types';
import { count, list } from '../shared/words';
import { about, estimate } from './figures';
import { ranking } from './retired';

type Measured = ModelStats & { approval: { value: number } };

export interface Headline {
  sentence: string;
  detail: string;
}

export function headline(stats: StatsAnswer): Headline {
  const models = ranking(stats.models);
  const measured = models.filter(isMeasured).sort((a, b) => b.approval.value - a.approval.value);
  if (!models.some((model) => model.votes > 0)) return noVotes(models);
  const [first] = measured;
  if (measured.length < 2 || first === undefined) return tooFew(models, measured);
  const detailed = first.verdict === 'leads' ? leads(first, measured) : tooClose(first, measured);
  return { ...detailed, detail: [detailed.detail, ...remark(models)].join(' ') };
}

/** The number of votes that a model needs before it is compared; null when the statistics do not show it. */
export function votesToCompare(models: readonly ModelStats[]): number | null {
  const waiting = models.find((model) => !isMeasured(model) && model.votesNeeded !== null);
  return waiting ? waiting.votes + (waiting.votesNeeded ?? 0) : null;
}

/** Adds joiners, so that no name, version or interval is broken across lines. */
export function unbroken(sentence: string): string {
  return sentence.replace(/ (?=\d\.\d)/g, '\u00a0').replace(/(?<=[\w.])[-–](?=\w)/g, '\u2060$&\u2060');
}

function isMeasured(model: ModelStats): model is Measured {
  return model.approval.value !== null;
}

function noVotes(models: readonly ModelStats[]): Headline {
  return { sentence: 'No votes yet', detail: rule(models) };
}

function tooFew(models: readonly ModelStats[], measured: readonly Measured[]): Headline {
  const missing = models
    .filter((model) => !isMeasured(model))
    .flatMap((model) => model.votesNeeded ?? [])
    .sort((a, b) => a - b);
  // A comparison needs two models with enough votes.
  const needed = missing.slice(0, 2 - measured.length).reduce((sum, votes) => sum + votes, 0);
  if (!needed) return { sentence: 'Too few votes yet', detail: rule(models) };
  const them = measured.length ? 'on one more model' : 'on two models';
  return {
    sentence: `Too few votes yet: about ${about(needed)} more ${them} would allow a first comparison`,
    detail: [...measured.map(alone), rule(models)].join(' '),
  };
}

function alone(model: Measured): string {
  return `So far only ${model.source} has enough: ${estimate(model.approval.value, model.approval)}.`;
}

function rule(models: readonly ModelStats[]): string {
  const needed = votesToCompare(models);
  return needed ? `A model is compared once it has ${count(needed, 'vote')}.` : '';
}

function leads(leader: Measured, measured: readonly Measured[]): Headline {
  const next = measured[1] as Measured;
  return {
    sentence: `${leader.source} leads with ${estimate(leader.approval.value, leader.approval)}`,
    detail: `Next is ${next.source} with ${estimate(next.approval.value, next.approval)}; their 95 % intervals are apart.`,
  };
}

function tooClose(leader: Measured, measured: readonly Measured[]): Headline {
  const rivals = measured.filter((model) => model !== leader && model.verdict === 'too close to call');
  const names = list([leader, ...rivals].map((model) => model.source));
  const needed = leader.votesNeeded;
  const settling = needed ? `: about ${about(needed)} more votes each would settle it` : '';
  const ahead = `${leader.source} is ahead with ${estimate(leader.approval.value, leader.approval)}`;
  return {
    sentence: `Too close to call between ${names}${settling}`,
    detail: needed
      ? `${ahead}, but the 95 % intervals overlap.`
      : `${ahead}, but so little that not even a million more votes would tell them apart.`,
  };
}

function remark(models: readonly ModelStats[]): string[] {
  const waiting = models.filter((model) => !isMeasured(model)).map((model) => model.source);
  if (!waiting.length) return [];
  return [`${list(waiting)} ${waiting.length > 1 ? 'have' : 'has'} too few votes yet.`];
}
