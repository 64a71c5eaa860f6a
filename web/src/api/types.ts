/** The bodies of the API by their names, from the OpenAPI document that the server's code makes. */

import type { components } from '../../generated/schema';

type Bodies = components['schemas'];
type With<Name extends keyof Bodies, Narrower> = Omit<Bodies[Name], keyof Narrower> & Narrower;

export type SayingAnswer = Bodies['SayingAnswer'];
// That one of two properties is needed stands in the document as alternatives, which become types of their own here.
export type FeedbackRequest = Extract<Bodies['FeedbackRequest'], { feedbackType: unknown }>;
export type FeedbackAnswer = Bodies['FeedbackAnswer'];
export type FeedbackType = FeedbackRequest['feedbackType'];
export type ModelsAnswer = Bodies['ModelsAnswer'];
export type Winner = Bodies['CompareVoteRequest']['winner'];
// The document says by a pattern which letters a slot may have, and TypeScript cannot read that.
export type Slot = Exclude<Winner, 'tie' | 'none'>;
export type SlotAnswer = With<'SlotAnswer', { slot: Slot }>;
export type RevealedSlot = With<'RevealedSlot', { slot: Slot }>;
export type CompareAnswer = With<'CompareAnswer', { slots: SlotAnswer[] }>;
export type ComparisonStarted = With<'ComparisonStarted', { slots: Slot[] }>;
export type ComparisonDone = Bodies['ComparisonDone'];
export type CompareVoteAnswer = With<'CompareVoteAnswer', { slots: RevealedSlot[] }>;
export type StatsAnswer = Bodies['StatsAnswer'];
export type ErrorAnswer = Bodies['ErrorAnswer'];
