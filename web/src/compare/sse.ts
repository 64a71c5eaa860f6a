/** Reads Server-Sent Events from a response's body, because the browser's EventSource cannot POST. */

export interface ServerSentEvent {
  event: string;
  data: string;
}

/** Yields the events as they arrive. An event that the stream cuts off is dropped, as the standard says. */
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

/** Yields whole lines from chunks that end anywhere. CRLF, LF or CR ends a line. */
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
