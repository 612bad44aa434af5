import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from '@playwright/test';
import type { Demo } from './demo';

const bin = join(process.env.TOLDONCE_BIN ?? '../../bin', 'toldonce');

/** A program of its own, which can be killed and started again over the same data. */
export class Program {
  private child: ChildProcess | undefined;
  demo!: Demo;

  private constructor(
    private readonly data: string,
    private readonly listen: string,
  ) {}

  static async start(): Promise<Program> {
    const program = new Program(join(await mkdtemp(join(tmpdir(), 'backfill-')), 'data'), `127.0.0.1:${await freePort()}`);
    program.demo = JSON.parse(await program.run(['demo', '--json']));
    return program;
  }

  /** Nothing is said to it: it is gone from one moment to the next. */
  async kill(): Promise<void> {
    this.child?.kill('SIGKILL');
    if (this.child) await once(this.child, 'exit');
  }

  /** Serves again what is there, with further flags. */
  async again(...flags: string[]): Promise<void> {
    await this.run(['serve', ...flags]);
    await expect.poll(() => fetch(this.demo.url + '/readyz').then((r) => r.status, () => 0), { timeout: 30_000 }).toBe(200);
  }

  /** How much the journals and their reserve take, in bytes. */
  async spooled(): Promise<number> {
    const all = await readdir(join(this.data, 'spool'), { recursive: true, withFileTypes: true });
    const sizes = await Promise.all(all.filter((it) => it.isFile()).map((it) => stat(join(it.parentPath, it.name))));
    return sizes.reduce((sum, it) => sum + it.size, 0);
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(join(this.data, '..'), { recursive: true, force: true });
  }

  private run(command: string[]): Promise<string> {
    this.child = spawn(bin, [...command, '--data', this.data, '--listen', this.listen], { stdio: ['ignore', 'pipe', 'pipe'] });
    const { stdout, stderr } = this.child;
    stderr?.on('data', (text: Buffer) => process.env.BACKFILL_LOG && process.stderr.write(text));
    if (command[0] === 'serve') return Promise.resolve('');
    return new Promise((resolve, reject) => {
      this.child?.on('exit', (code) => reject(new Error(`the program ended with ${code}`)));
      if (stdout) createInterface(stdout).once('line', resolve);
    });
  }

  async api(role: keyof Demo['tokens'], method: string, path: string, body?: unknown): Promise<any> {
    const response = await fetch(`${this.demo.url}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.demo.tokens[role]}`, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response.json();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address ? address.port : 0;
}
