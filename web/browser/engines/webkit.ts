/** Drives WebKitGTK's own small browser by the driver that Debian has beside it. There is a virtual screen for both. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { inject } from 'vitest';
import type { Choice, Driver } from './visit';

const DRIVER = '/usr/bin/WebKitWebDriver';
// An upper bound for a machine with much else to do.
const PATIENCE_MS = 60_000;

export async function openWebKit({ keepsNothing = false }: Choice): Promise<Driver> {
  const port = await freePort();
  // Its sandbox needs rights that a container does not give.
  const env = { ...process.env, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' };
  const driver = spawn('xvfb-run', ['-a', DRIVER, `--port=${port}`], { env, stdio: 'ignore', detached: true });
  const address = `http://127.0.0.1:${port}`;
  const policy = keepsNothing ? ['--cookies-policy=never'] : [];
  const options = { binary: inject('browser'), args: ['--automation', ...policy] };
  const capabilities = { alwaysMatch: { 'webkitgtk:browserOptions': options } };
  await listens(address);
  const { sessionId } = (await command(`${address}/session`, 'POST', { capabilities })) as { sessionId: string };
  const session = `${address}/session/${sessionId}`;
  return {
    goto: async (url) => {
      await command(`${session}/url`, 'POST', { url });
    },
    run: (work, ...given) => {
      const script = `return (${work}).apply(null, arguments);`;
      return command(`${session}/execute/sync`, 'POST', { script, args: given }) as never;
    },
    close: async () => {
      await command(session, 'DELETE');
      await stop(driver);
    },
  };
}

/** Sends a command of the WebDriver protocol and returns its value. */
async function command(address: string, method: 'POST' | 'DELETE', body?: unknown): Promise<unknown> {
  const response = await fetch(address, { method, body: body ? JSON.stringify(body) : null });
  const { value } = (await response.json()) as { value: unknown };
  if (!response.ok) throw new Error(`${method} ${address}: ${JSON.stringify(value)}`);
  return value;
}

async function listens(address: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      await fetch(`${address}/status`);
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** Ends the virtual screen, the driver and the browser, which are one group of processes. */
function stop(driver: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    driver.on('exit', () => resolve());
    process.kill(-(driver.pid ?? 0));
  });
}
