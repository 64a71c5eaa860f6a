/** Starts what the browser tests visit: the real server as `make run` starts it, with a quick simulator behind it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import packaged from '@sparticuz/chromium';
import type { TestProject } from 'vitest/node';

const ROOT = join(import.meta.dirname, '../..');
const PYTHON = process.env.PYTHON ?? join(ROOT, '.venv/bin/python');

declare module 'vitest' {
  interface ProvidedContext {
    program: string | null;
    engine: string;
    thorough: boolean;
    browser: string;
    url: string;
    simulator: string;
  }
}

// The models of a certain day, whatever the day on which the tests are run.
const DAY = '2026-11-28';
const LINE_UP = 'claude-haiku-4-5,claude-sonnet-4-5,gpt-4.1,gpt-4.1-mini';

export default async function setup(project: TestProject) {
  const folder = mkdtempSync(join(tmpdir(), 'page-tests-'));
  const simulator = await start(
    ['-m', 'service.simulator', '--port', '0', '--speed', '0.25', '--day', DAY],
    {},
    /(http\S+)\/anthropic/,
  );
  const settings = {
    // All flows come from one address.
    SAYINGS_COMPARE_RATE: 'off',
    SAYINGS_ADDRESS_VOTES: '1000',
    SAYINGS_PORT: '0',
    SAYINGS_STORE: `sqlite:///${join(folder, 'sayings.db')}`,
    SAYINGS_SIMULATOR: simulator.url,
    SAYINGS_LINE_UP: LINE_UP,
    SAYINGS_DAILY_CAP_USD: '100',
    SAYINGS_HOURLY_CAP_USD: '100',
  };
  const server = await start(['-m', 'workers', '--serve'], settings, /is at (http\S+)/);
  project.provide('browser', project.getProvidedContext().program ?? (await unpacked(folder)));
  project.provide('url', server.url);
  project.provide('simulator', simulator.url);
  return async () => {
    await Promise.all([stop(server.process), stop(simulator.process)]);
    rmSync(folder, { recursive: true, force: true });
  };
}

/**
 * The packaged Chromium, unpacked into a folder of this run. The package unpacks into the folder for temporary files
 * and takes what lies there already, whole or not, of this version or another.
 */
async function unpacked(folder: string): Promise<string> {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  try {
    return await packaged.executablePath();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}

/** Python in a process of its own, once it has said its address. */
async function start(command: string[], settings: Record<string, string>, address: RegExp) {
  const env = { PATH: process.env.PATH ?? '', ...settings };
  const child = spawn(PYTHON, command, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  return { process: child, url: await said(child, address) };
}

/** Its files may be removed only once it writes no more. */
function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on('exit', () => resolve());
    if (!child.kill()) resolve(); // it has ended before
  });
}

function said(child: ChildProcess, address: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const words: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface(stream).on('line', (line) => {
        words.push(line);
        const found = address.exec(line)?.[1];
        if (found) resolve(found);
      });
    }
    child.on('exit', () => reject(new Error(`It stopped:\n${words.join('\n')}`)));
  });
}
