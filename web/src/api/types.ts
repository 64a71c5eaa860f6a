/** The types of the API's bodies, generated from the server's OpenAPI document. */

import type { components } from '../../generated/schema';

type Bodies = components['schemas'];
type With<Name extends keyof Bodies, Narrower> = Omit<Bodies[Name], keyof Narrower> & Narrower;

export type SayingAnswer = Bodies['SayingAnswer'];
export type StoredSaying = Bodies['StoredSayingAnswer'];
export type BestAnswer = Bodies['BestAnswer'];
export type SayingOrder = BestAnswer['order'];
// The document asks for the source or the token, of which TypeScript makes types that a saying's own fields do not fit.
export type FeedbackRequest = With<'FeedbackRequest', Pick<SayingAnswer, 'source' | 'voteToken'>>;
export type FeedbackAnswer = Bodies['FeedbackAnswer'];
export type FeedbackType = FeedbackRequest['feedbackType'];
export type ReportRequest = Bodies['ReportRequest'];
export type ReportReason = NonNullable<ReportRequest['reason']>;
export type ReportAnswer = Bodies['ReportAnswer'];
export type ForgottenAnswer = Bodies['ForgottenAnswer'];
export type ModelsAnswer = Bodies['ModelsAnswer'];
export type Winner = Bodies['CompareVoteRequest']['winner'];
// The document limits a slot's letters by a pattern, which TypeScript cannot express.
export type Slot = Exclude<Winner, 'tie' | 'none'>;
export type SlotAnswer = With<'SlotAnswer', { slot: Slot }>;
export type RevealedSlot = With<'RevealedSlot', { slot: Slot }>;
export type CompareAnswer = With<'CompareAnswer', { slots: SlotAnswer[] }>;
export type ReplayReason = CompareAnswer['reason'];
export type ComparisonStarted = Bodies['ComparisonStarted'];
export type ComparisonProgress = Bodies['ComparisonProgress'];
export type ComparisonSlots = With<'ComparisonSlots', { slots: SlotAnswer[] }>;
export type ComparisonDone = Bodies['ComparisonDone'];
export type ComparisonView = With<'ComparisonView', { slots: SlotAnswer[]; revealed: RevealedSlot[] | null }>;
export type CompareVoteAnswer = With<'CompareVoteAnswer', { slots: RevealedSlot[] }>;
export type ModelStats = Bodies['ModelStats'];
export type Figures = Bodies['Figures'];
export type Analysis = Bodies['Analysis'];
export type Answered = Bodies['Answered'];
export type DayStats = Bodies['DayStats'];
/** What changed about a model on one day. */
export type Change = Bodies['Mark'];
export type Comparisons = Bodies['ComparisonCounts'];
export type VoteCounts = Bodies['VoteCounts'];
export type CollectionStats = Bodies['CollectionStats'];
export type ServiceStats = Bodies['ServiceStats'];
export type HourStats = Bodies['HourStats'];
export type Interval = Bodies['Interval'];
export type Latency = Bodies['Latency'];
export type LatencyBucket = Bodies['LatencyBucket'];
export type PairRecord = Bodies['PairRecord'];
export type StatsAnswer = Bodies['StatsAnswer'];
export type ErrorAnswer = Bodies['ErrorAnswer'];
