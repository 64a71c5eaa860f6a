import { type Family, familyOf } from './families';

// Lines of one width on a square of 96 by 96.
const DRAWINGS: Record<Family, string> = {
  // crates
  storage: 'M8 54h38v34H8zM50 54h38v34H50zM29 16h38v34H29zM20 54v11h14V54M62 54v11h14V54M41 16v11h14V16',
  // a chip
  compute:
    'M24 24h48v48H24zM38 38h20v20H38zM34 24V8M48 24V8M62 24V8M34 88V72M48 88V72M62 88V72M24 34H8M24 48H8M24 62H8M88 34H72M88 48H72M88 62H72',
  // a drum
  database:
    'M14 22a34 12 0 1 0 68 0a34 12 0 1 0-68 0v52a34 12 0 0 0 68 0V22M14 39a34 12 0 0 0 68 0M14 57a34 12 0 0 0 68 0',
  // a web of stations
  network:
    'M38 18a10 10 0 1 0 20 0a10 10 0 1 0-20 0M8 74a10 10 0 1 0 20 0a10 10 0 1 0-20 0M68 74a10 10 0 1 0 20 0a10 10 0 1 0-20 0M43 27 22 65M53 27l21 38M28 74h40',
  // a padlock
  security: 'M18 42h60v46H18zM32 42V28a16 16 0 0 1 32 0v14M48 58v14',
  // an envelope
  messages: 'M8 22h80v54H8zM8 24l40 30 40-30M8 74l28-30M88 74 60 44',
  // bars
  data: 'M8 88h80M16 88V60h16v28M40 88V38h16v50M64 88V14h16v74',
  // sparks
  thinking:
    'M40 14c4 24 14 34 38 38-24 4-34 14-38 38-4-24-14-34-38-38 24-4 34-14 38-38zM76 6c2 10 6 14 16 16-10 2-14 6-16 16-2-10-6-14-16-16 10-2 14-6 16-16z',
  // brackets
  tools: 'M32 24 8 48l24 24M64 24l24 24-24 24M56 14 40 82',
  // coins
  money:
    'M8 72a26 10 0 1 0 52 0a26 10 0 1 0-52 0v8a26 10 0 0 0 52 0v-8M8 58a26 10 0 1 0 52 0a26 10 0 1 0-52 0v14M60 58v14M36 28a26 10 0 1 0 52 0a26 10 0 1 0-52 0v14a26 10 0 0 0 10 8M88 28v14a26 10 0 0 1-28 10',
  // a dial
  control: 'M8 72a40 40 0 1 1 80 0zM48 72l18-28M48 32v8M19 44l6 5M77 44l-6 5M8 72h10M78 72h10',
};

/** A drawing behind the saying that tells what kind of service it is about. */
export function Ground({ services }: { services: readonly string[] }) {
  return (
    <svg class="ground" viewBox="0 0 96 96" aria-hidden="true">
      <path d={DRAWINGS[familyOf(services)]} />
    </svg>
  );
}
