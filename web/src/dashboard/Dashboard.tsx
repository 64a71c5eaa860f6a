/** The comparison of the models: approval, wins against each other, cost, latency. */

import { useEffect, useMemo, useState } from 'preact/hooks';
import type { StatsAnswer } from '../api/types';
import { catalogue } from '../shared/models';
import { useStore } from '../shared/store';
import { Feed } from './feed';
import { headline, unbroken } from './headline';
import { Contents } from './parts/Contents';
import { FiguresContext } from './parts/FiguresContext';
import { Freshness } from './parts/Freshness';
import { PeriodSwitch } from './parts/PeriodSwitch';
import type { Period } from './period';
import { withRetiredNamed } from './retired';
import { ApprovalSection } from './sections/ApprovalSection';
import { CostSection } from './sections/CostSection';
import { DaysSection } from './sections/DaysSection';
import { FailuresSection } from './sections/FailuresSection';
import { HeadToHeadSection } from './sections/HeadToHeadSection';
import { HoursSection } from './sections/HoursSection';
import { LatencySection } from './sections/LatencySection';
import { LengthSection } from './sections/LengthSection';
import { MethodSection } from './sections/MethodSection';
import { OverviewSection } from './sections/OverviewSection';
import { ServicesSection } from './sections/ServicesSection';
import { ValueSection } from './sections/ValueSection';
import './dashboard.css';

// It outlives the view, so that a visitor who returns sees figures at once, and newer ones soon.
const feed = new Feed();

export default function Dashboard() {
  const state = useStore(feed.state);
  useEffect(() => feed.start(), []);
  // The marks of the models need the catalogue, which is fetched at the same time.
  const marked = useStore(catalogue) ? 'marked' : 'unmarked';
  const { trouble } = state;
  const stats = useMemo(() => state.stats && withRetiredNamed(state.stats), [state.stats]);
  return (
    <div class="dashboard">
      <div class="intro">
        <h1 class="question">Which model do people prefer?</h1>
        {stats && <Verdict stats={stats} />}
        {!stats && <p class="answer">{trouble ? 'The figures could not be fetched' : 'One moment…'}</p>}
        {(stats || trouble) && <Freshness state={state} refresh={feed.refresh} />}
      </div>
      {stats ? <Sections key={marked} stats={stats} /> : !trouble && <div class="coming" aria-busy="true" />}
    </div>
  );
}

function Verdict({ stats }: { stats: StatsAnswer }) {
  const { sentence, detail } = useMemo(() => headline(stats), [stats]);
  return (
    <div class="verdict">
      <p class="answer">{unbroken(sentence)}</p>
      <p class="note">{unbroken(detail)}</p>
      {stats.simulated && (
        <p class="tag">Simulated: no real model wrote these sayings; their times and costs are made up.</p>
      )}
    </div>
  );
}

function Sections({ stats }: { stats: StatsAnswer }) {
  const [period, choose] = useState<Period>('recent');
  const { generatedAt, simulated } = stats;
  const answer = useMemo(() => ({ generatedAt, simulated }), [generatedAt, simulated]);
  return (
    <FiguresContext.Provider value={answer}>
      <PeriodSwitch stats={stats} period={period} choose={choose} />
      <OverviewSection stats={stats} period={period} />
      <ValueSection stats={stats} period={period} />
      <Contents hasLength={stats.analysis !== null} />
      <DaysSection stats={stats} />
      <LatencySection stats={stats} period={period} />
      <ApprovalSection stats={stats} period={period} />
      <HeadToHeadSection stats={stats} period={period} />
      <LengthSection stats={stats} />
      <FailuresSection stats={stats} period={period} />
      <CostSection stats={stats} period={period} />
      <ServicesSection stats={stats} />
      <HoursSection stats={stats} />
      <MethodSection stats={stats} />
    </FiguresContext.Provider>
  );
}
