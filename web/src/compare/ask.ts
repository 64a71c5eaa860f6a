/** Asks for a comparison and yields its steps, whether the server streams them or answers with one document. */

import { asTrouble, fetchResponse, Trouble } from '../api/client';
import type {
  CompareAnswer,
  ComparisonDone,
  ComparisonProgress,
  ComparisonSlots,
  ComparisonStarted,
  ErrorAnswer,
} from '../api/types';
import { serverSentEvents } from './sse';

export type Step =
  | { event: 'comparison'; data: ComparisonStarted }
  | { event: 'progress'; data: ComparisonProgress }
  | { event: 'slots'; data: ComparisonSlots }
  | { event: 'done'; data: ComparisonDone };

export interface Wish {
  /** The service to write about; null for any. */
  service: string | null;
  /** Whether the visitor wants a comparison that was made earlier. */
  stored: boolean;
}

/** Throws Trouble, or the reason with which `signal` was aborted. */
export async function* askForComparison({ service, stored }: Wish, signal: AbortSignal): AsyncGenerator<Step> {
  const response = await fetchResponse('/compare', {
    method: 'POST',
    body: { ...(service !== null && { service }), ...(stored && { from: 'stored' }) },
    accept: 'text/event-stream, application/json;q=0.5',
    signal,
  });
  try {
    // On Lambda the server cannot stream and answers in JSON.
    const streamed = response.headers.get('Content-Type')?.startsWith('text/event-stream');
    if (streamed && response.body) yield* streamedSteps(response.body);
    else yield* stepsOf((await response.json()) as CompareAnswer);
  } catch (error) {
    throw signal.aborted ? signal.reason : asTrouble(error);
  }
}

const STEPS: readonly string[] = ['comparison', 'progress', 'slots', 'done'] satisfies Step['event'][];

async function* streamedSteps(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Step> {
  for await (const { event, data } of serverSentEvents(body)) {
    if (event === 'error') throw refusal(JSON.parse(data) as ErrorAnswer);
    if (!STEPS.includes(event)) continue;
    yield { event, data: JSON.parse(data) } as Step;
    if (event === 'done') return;
  }
  throw new Trouble('unreachable', 'The answers stopped coming.');
}

function* stepsOf({ slots, votable, ...comparison }: CompareAnswer): Generator<Step> {
  yield { event: 'comparison', data: comparison };
  yield { event: 'slots', data: { slots } };
  yield { event: 'done', data: { comparisonId: comparison.comparisonId, votable } };
}

function refusal({ error, requestId }: ErrorAnswer): Trouble {
  return new Trouble('refused', error.message, { code: error.code, requestId, status: 503 });
}
