/** Asking the server: an answer, or a Trouble that says what went wrong in words for people. */

import type { ErrorAnswer } from './types';

export const TIMEOUT_MS = 30_000;

/** `offline`: this device; `unreachable`: the server or the way to it; `refused`: the server answered with an error. */
export type TroubleKind = 'offline' | 'unreachable' | 'timeout' | 'refused' | 'nonsense';

export class Trouble extends Error {
  readonly kind: TroubleKind;
  readonly status: number;
  readonly code: string;
  readonly requestId: string;
  /** When to try again, in milliseconds since 1970; null when nobody said. */
  readonly retryAt: number | null;

  constructor(kind: TroubleKind, message: string, about: Partial<Omit<Trouble, 'kind' | 'message'>> = {}) {
    super(message);
    this.kind = kind;
    this.status = about.status ?? 0;
    this.code = about.code ?? '';
    this.requestId = about.requestId ?? '';
    this.retryAt = about.retryAt ?? null;
  }

  /** Whether the same request may well succeed later. */
  get passes(): boolean {
    return this.kind !== 'refused' || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export interface Ask {
  method?: 'GET' | 'POST' | 'DELETE';
  body?: unknown;
  accept?: string;
  signal?: AbortSignal;
}

/** The JSON that the server answers. Throws Trouble, or what `signal` was aborted with. */
export async function call<T>(path: string, ask: Ask = {}): Promise<T> {
  const response = await send(path, ask);
  try {
    return (await response.json()) as T;
  } catch (error) {
    throw ask.signal?.aborted ? ask.signal.reason : lost(error);
  }
}

/** The answer with its body still on its way. Throws as `call` does. */
export async function send(path: string, ask: Ask = {}): Promise<Response> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = ask.signal ? AbortSignal.any([ask.signal, timeout]) : timeout;
  let response: Response;
  try {
    response = await fetch(path, { ...request(ask), signal });
  } catch (error) {
    throw ask.signal?.aborted ? ask.signal.reason : lost(error);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

function request({ method = 'GET', body, accept = 'application/json' }: Ask): RequestInit {
  if (body === undefined) return { method, headers: { Accept: accept } };
  return { method, headers: { Accept: accept, 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

/** What became of a request without an answer, or of an answer that did not arrive whole. */
export function lost(error: unknown): Trouble {
  if (error instanceof Trouble) return error;
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new Trouble('timeout', `No answer came within ${TIMEOUT_MS / 1000} seconds.`);
  }
  if (navigator.onLine === false) return new Trouble('offline', 'You are offline.');
  if (error instanceof SyntaxError) return new Trouble('nonsense', 'The server’s answer could not be read.');
  return new Trouble('unreachable', 'The server could not be reached.');
}

async function refusal(response: Response): Promise<Trouble> {
  // Not every error is ours: a proxy answers in HTML, or with nothing.
  const body = (await response.json().catch(() => null)) as Partial<ErrorAnswer> | null;
  return new Trouble('refused', body?.error?.message ?? `The server answered ${response.status}.`, {
    status: response.status,
    code: body?.error?.code ?? '',
    requestId: body?.requestId ?? '',
    retryAt: retryAt(response.headers.get('Retry-After')),
  });
}

/** When a Retry-After header (seconds or a date) says to come back; null when it says nothing. */
export function retryAt(header: string | null, now = Date.now()): number | null {
  if (!header?.trim()) return null;
  const at = Number.isNaN(Number(header)) ? Date.parse(header) : now + Number(header) * 1000;
  return Number.isFinite(at) ? Math.max(at, now) : null;
}
