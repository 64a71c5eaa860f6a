import { addressOf } from '../routes';
import './about.css';
import { Forget } from './Forget';

// What is said here of times must agree with `Retention` in service/limits.py.
const STORED = [
  {
    what: 'A random id, in a cookie and beside your votes',
    why: 'So that your vote counts once, you can change it, and what you see is new to you. It says nothing else.',
    until: 'The cookie ends a year after your first visit. A year after a vote, the id beside it is replaced.',
  },
  {
    what: 'Your votes, and your choices in comparisons',
    why: 'With their times, and what your browser says about how long the saying took to arrive.',
    until: 'They stay, but after a year nobody can tell any more whose they were.',
  },
  {
    what: 'Which sayings and comparisons were shown to you',
    why: 'So that you see others next time, and can vote on the comparisons.',
    until:
      'Sayings are kept in memory only, for a while. Comparisons are removed after 30 days, if you did not vote on them.',
  },
  {
    what: 'A hash of your network address and the day',
    why: 'So that nobody outvotes the others from one place. The address itself is not stored.',
    until: 'After three days nobody can find the address from it any more. Removed after 30 days.',
  },
  {
    what: 'Your reports of sayings',
    why: 'With hashes of your id and of your network, so that each of you counts once.',
    until: 'Removed after 30 days without another report of the same saying.',
  },
  {
    what: 'What it costs when models write for you',
    why: 'Under a hash of your network address and the day, so that nobody uses up the money for all.',
    until: 'Removed after 2 days.',
  },
];

export default function About() {
  return (
    <article class="about-view">
      <h1>About and privacy</h1>
      <p>
        Cloud Sayings shows short analogies about AWS services that language models have written, and compares the
        models by what people vote.
      </p>

      <h2>How we count</h2>
      <p>
        A lot decides whether you see who wrote a saying. What people think of a model comes from the votes of those who
        did not see it; what the name alone does is the difference from those who did. Only your first vote on a saying
        counts, and only on sayings that we chose to show you: once you know the author, or have found the saying by a
        link or in a list, your vote still moves the saying’s own numbers.
      </p>
      <p>
        When you compare, all models get the same task at the same time, and all answers appear at once, in random
        order. Your first pick counts. A model that did not answer has lost.
      </p>
      <p>
        Every figure has an interval that takes into account that one person’s votes resemble each other, as do all
        votes on one saying. We say that a model leads only when looking every day could hardly have made it appear so
        by luck, and we name nothing below 120 votes, 30 voters and 30 sayings. Nobody’s share of the votes may be
        large, and votes from a network that cannot be honest are set aside.
      </p>

      <h2>Data and code</h2>
      <p>
        The <a href={addressOf('dashboard')}>dashboard</a> offers every table as a file, and{' '}
        <a href="/stats">the figures behind it</a> are public, as is{' '}
        <a href="/openapi.json">the description of the whole interface</a>. The code is free to use under the MIT
        licence; the page also contains <a href="/licences.txt">the work of others</a>.
      </p>

      <h2>Privacy</h2>
      <p>
        Your first visit sets a cookie, which ends after a year. Reading stores nothing else about you, apart from some
        technical records (below), unless a model writes while you wait. When it does, and when you vote, report or
        compare, this is stored:
      </p>
      <dl class="stored">
        {STORED.map(({ what, why, until }) => (
          <div key={what} class="card">
            <dt>{what}</dt>
            <dd>{why}</dd>
            <dd class="until">{until}</dd>
          </div>
        ))}
      </dl>
      <p>
        What has reached its end is removed once a day. Where the operator has automatic backups, it is in them for up
        to 35 days more, and a hash of an id that was forgotten stays as long, so that a restored backup forgets it
        again. This browser itself remembers the last sayings that you have read, your open comparison, and votes that
        could not be sent yet. It keeps them to itself, until you have yourself forgotten below.
      </p>

      <h2>Who sees it</h2>
      <p>
        Everybody sees how many votes a saying and a model have. Only the operators of this site can see single votes;
        lists that they make for analysts have a hash in place of your id. There is no advertising, no analytics and
        nothing from other sites on this page. The logs of this service hold neither your address nor your id. The
        technical records of some requests, by which the operators find out what was slow or broken, hold what your
        browser calls itself and the first part of your network address, but never all of it, nor your id. Where this
        service runs on AWS, they are removed after 30 days.
      </p>

      <h2>What the makers of the models get</h2>
      <p>
        Nothing about you. They are sent a fixed text that asks for sayings, with the names of AWS services. The one
        thing in it that you can choose is the service of a comparison, from a list.
      </p>

      <h2>Forget me</h2>
      <p>
        You can have your id deleted, with all your votes and choices. Your reports stay, but lead to nobody any more.
        This needs the cookie, so do it in the browser in which you voted. Without the cookie, nobody can tell which
        votes are yours, and neither can we.
      </p>
      <Forget />
    </article>
  );
}
