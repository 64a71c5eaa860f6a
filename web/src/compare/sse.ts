/** Server-Sent Events from a response's body: what EventSource would do, which cannot POST. */

export interface ServerSentEvent {
  event: string;
  data: string;
}

/** The events as they arrive. One that the stream ends in the middle of is dropped, as the standard has it. */
export async function* serverSentEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<ServerSentEvent> {
  let block: string[] = [];
  for await (const line of lines(body)) {
    if (line !== '') {
      block.push(line);
    } else {
      const event = read(block);
      block = [];
      if (event) yield event;
    }
  }
}

function read(block: readonly string[]): ServerSentEvent | null {
  let event = 'message';
  const data: string[] = [];
  for (const line of block) {
    const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === 'event') event = value;
    if (name === 'data') data.push(value);
  }
  return data.length > 0 ? { event, data: data.join('\n') } : null;
}

/** Whole lines, whatever pieces the network cuts them into; CRLF, LF and CR end one. */
async function* lines(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = parts.pop() ?? '';
      yield* parts;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
