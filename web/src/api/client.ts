/** Requests to the server. They return its answer or throw a Trouble, which says in plain words what went wrong. */

import type { ErrorAnswer } from './types';

export const TIMEOUT_MS = 30_000;

/**
 * `offline`: this device has no network. `unreachable`: the server, or the network on the way to it, does not respond.
 * `refused`: the server answered with an error. `nonsense`: its answer cannot be read.
 */
export type TroubleKind = 'offline' | 'unreachable' | 'timeout' | 'refused' | 'nonsense';

export class Trouble extends Error {
  readonly kind: TroubleKind;
  readonly status: number;
  readonly code: string;
  readonly requestId: string;
  /** When to try again, in milliseconds since 1970; null when the server has not said. */
  readonly retryAt: number | null;

  constructor(kind: TroubleKind, message: string, about: Partial<Omit<Trouble, 'kind' | 'message'>> = {}) {
    super(message);
    this.kind = kind;
    this.status = about.status ?? 0;
    this.code = about.code ?? '';
    this.requestId = about.requestId ?? '';
    this.retryAt = about.retryAt ?? null;
  }

  /** Whether the same request may succeed later. */
  get passes(): boolean {
    return this.kind !== 'refused' || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export interface FetchOptions {
  method?: 'GET' | 'POST' | 'DELETE';
  body?: unknown;
  accept?: string;
  signal?: AbortSignal;
}

/** Returns the JSON of the server's answer. Throws Trouble, or the reason with which `signal` was aborted. */
export async function fetchJson<T>(path: string, options: FetchOptions = {}): Promise<T> {
  const response = await fetchResponse(path, options);
  try {
    return (await response.json()) as T;
  } catch (error) {
    throw options.signal?.aborted ? options.signal.reason : asTrouble(error);
  }
}

/** Returns the answer while its body may still be arriving. Throws as `fetchJson` does. */
export async function fetchResponse(path: string, options: FetchOptions = {}): Promise<Response> {
  const signal = withTimeout(options.signal);
  let response: Response;
  try {
    response = await fetch(path, { ...requestInit(options), signal });
  } catch (error) {
    throw options.signal?.aborted ? options.signal.reason : asTrouble(error);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** A signal that ends after the time-out, or with the other one. `AbortSignal.any` is newer than the oldest browsers. */
function withTimeout(other?: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  for (const signal of other ? [other, timeout] : [timeout]) {
    const end = () => controller.abort(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  }
  return controller.signal;
}

function requestInit({ method = 'GET', body, accept = 'application/json' }: FetchOptions): RequestInit {
  if (body === undefined) return { method, headers: { Accept: accept } };
  return { method, headers: { Accept: accept, 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

/** Converts the error of a request that got no answer, or only a part of one. */
export function asTrouble(error: unknown): Trouble {
  if (error instanceof Trouble) return error;
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new Trouble('timeout', `No answer came within ${TIMEOUT_MS / 1000} seconds.`);
  }
  if (navigator.onLine === false) return new Trouble('offline', 'You are offline.');
  if (error instanceof SyntaxError) return new Trouble('nonsense', 'The server’s answer could not be read.');
  return new Trouble('unreachable', 'The server could not be reached.');
}

async function refusal(response: Response): Promise<Trouble> {
  // The error may come from a proxy, which answers in HTML or without a body.
  const body = (await response.json().catch(() => null)) as Partial<ErrorAnswer> | null;
  return new Trouble('refused', body?.error?.message ?? `The server answered ${response.status}.`, {
    status: response.status,
    code: body?.error?.code ?? '',
    requestId: body?.requestId ?? '',
    retryAt: retryAt(response.headers.get('Retry-After')),
  });
}

/** Reads a Retry-After header (seconds or a date) as milliseconds since 1970; null when it holds neither. */
export function retryAt(header: string | null, now = Date.now()): number | null {
  if (!header?.trim()) return null;
  const at = Number.isNaN(Number(header)) ? Date.parse(header) : now + Number(header) * 1000;
  return Number.isFinite(at) ? Math.max(at, now) : null;
}
