import { useEffect, useState } from 'preact/hooks';
import type { SayingAnswer } from '../api/types';
import { permalink, quotation } from './words';

const SHOWN_MS = 2_500;

type Shared = Pick<SayingAnswer, 'sayingId' | 'saying' | 'source'>;

/** The buttons that copy a saying and, where the browser offers it, share one. */
export function Share({ answer }: { answer: Shared | null }) {
  const [copied, setCopied] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setCopied(''), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => setCopied((await copyText(answer)) ? 'Copied' : 'Not possible here');
  return (
    <>
      <button type="button" class="text-button copy" disabled={!answer} onClick={copy}>
        {copied || 'Copy'}
      </button>
      {'share' in navigator && (
        <button type="button" class="text-button" disabled={!answer} onClick={() => share(answer)}>
          Share
        </button>
      )}
      <span class="unseen" role="status">
        {copied}
      </span>
    </>
  );
}

async function copyText(answer: Shared | null): Promise<boolean> {
  if (!answer) return false;
  try {
    await navigator.clipboard.writeText(`${quotation(answer)}\n${permalink(answer)}`);
    return true;
  } catch {
    return false; // the page came without HTTPS, or the visitor does not allow it
  }
}

async function share(answer: Shared | null): Promise<void> {
  if (!answer) return;
  // It rejects when the visitor closes the dialogue, which is no error.
  await navigator.share({ text: quotation(answer), url: permalink(answer) }).catch(() => undefined);
}
