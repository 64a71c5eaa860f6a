import { describe, expect, it } from 'vitest';
import { type ServerSentEvent, serverSentEvents } from './sse';

function stream(...chunks: (string | Uint8Array)[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) {
        controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : new Uint8Array(chunk));
      }
      controller.close();
    },
  });
}

async function eventsOf(...chunks: (string | Uint8Array)[]): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of serverSentEvents(stream(...chunks))) events.push(event);
  return events;
}

const SLOT = { event: 'slot', data: '{"slot":"A"}' };

describe('server-sent events', () => {
  it('are read one after the other', async () => {
    const text = 'event: slot\ndata: {"slot":"A"}\n\nevent: done\ndata: {}\n\n';

    expect(await eventsOf(text)).toEqual([SLOT, { event: 'done', data: '{}' }]);
  });

  it('may be cut anywhere', async () => {
    const text = 'event: slot\r\ndata: {"slot":"A"}\r\n\r\n';

    for (let cut = 0; cut <= text.length; cut++) {
      expect(await eventsOf(text.slice(0, cut), text.slice(cut)), `cut at ${cut}`).toEqual([SLOT]);
    }
  });

  it('may be cut within a character', async () => {
    const bytes = new TextEncoder().encode('data: “€”\n\n');

    for (let cut = 0; cut <= bytes.length; cut++) {
      const events = await eventsOf(bytes.slice(0, cut), bytes.slice(cut));
      expect(events, `cut at ${cut}`).toEqual([{ event: 'message', data: '“€”' }]);
    }
  });

  it.each([
    ['a comment', ': keep-alive\n\nevent: slot\ndata: {"slot":"A"}\n\n', [SLOT]],
    ['no space after the colon', 'event:slot\ndata:{"slot":"A"}\n\n', [SLOT]],
    ['several lines of data', 'data: a\ndata: b\n\n', [{ event: 'message', data: 'a\nb' }]],
    ['fields that are unknown', 'id: 7\nretry: 5\nfoo\nevent: slot\ndata: {"slot":"A"}\n\n', [SLOT]],
    ['a colon in the data', 'data: a: b\n\n', [{ event: 'message', data: 'a: b' }]],
    ['no data', 'event: slot\n\n', []],
    ['an end in the middle', 'event: slot\ndata: {"slot":"A"}\n', []],
    ['nothing', '', []],
  ])('with %s', async (_, text, expected) => {
    expect(await eventsOf(text)).toEqual(expected);
  });

  it('cancel the stream when the reader stops', async () => {
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('data: x\n\n')),
      cancel: () => {
        cancelled = true;
      },
    });

    for await (const event of serverSentEvents(endless)) {
      expect(event.data).toBe('x');
      break;
    }

    expect(cancelled).toBe(true);
  });
});
