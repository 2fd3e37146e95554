// Runs the programs that measure and those that are measured, each on its core.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { sleep } from '../browsers/check.mjs';
import { Server } from '../browsers/server.mjs';

const STOP_TIMEOUT_MS = 20000; // thousands of sessions are closed
const TICKS_PER_S = 100; // of /proc/PID/stat, on Linux always

const pinned = (core) => (core === null ? [] : ['taskset', '-c', `${core}`]);

/* What runs now: none of it outlives this process. */
const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/* Runs a program to its end. { status, stdout, stderr } */
function run(command, timeoutMs) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(child);
    const texts = { stdout: '', stderr: '' };
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    for (const stream of ['stdout', 'stderr']) {
      child[stream].on('data', (part) => { texts[stream] += part; });
    }
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      children.delete(child);
      resolve({ status: status ?? signal, ...texts });
    });
  });
}

/* { utime + stime of a process } in seconds. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

export class Programs {
  /* build: the build directory; cores: { server, load }, or null not to pin. */
  constructor(build, cores) {
    this.build = build;
    this.cores = cores ?? { server: null, load: null };
  }

  has(program) {
    return existsSync(path.join(this.build, program));
  }

  /* What a program prints as JSON. core: one, or a list as text, or null; statuses: those that are no
   * failure. */
  async json(program, args, { core = this.cores.server, timeoutMs = 300000, statuses = [0] } = {}) {
    const command = [...pinned(core), path.join(this.build, program), ...args];
    const { status, stdout, stderr } = await run(command, timeoutMs);
    if (!statuses.includes(status)) throw new Error(`${command.join(' ')}: ${status}\n${stderr}`);
    try {
      return JSON.parse(stdout);
    } catch {
      throw new Error(`${command.join(' ')}: no JSON\n${stdout.slice(0, 500)}\n${stderr}`);
    }
  }

  /* Starts a server of that kind for as long as use(server) runs. */
  async withServer(kind, { workers = 1, writeBuffer = 0 }, use) {
    const args = kind === 'pion' ? ['--write-buffer', `${writeBuffer}`]
      : ['--log-level', 'warn', '--workers', `${workers}`];
    const program = kind === 'pion' ? 'pion-server' : 'rtctcp-server';
    const server = await Server.start(path.join(this.build, program), args, pinned(this.cores.server));
    children.add(server);
    try {
      return await use(server);
    } finally {
      await server.terminate(STOP_TIMEOUT_MS);
      children.delete(server);
    }
  }

  /* The load generator against a server. options: { players: 50 } becomes --players 50. Status 1 says
   * that packets or sessions were lost, which the figures tell. */
  load(server, mode, options) {
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const seconds = (options.seconds ?? 10) + (options.stall ?? 0) + (options.recover ?? 0);
    return this.json('rtctcp-load', [mode, '--json', '--quiet', '--pid', `${server.process.pid}`, ...args,
      server.url], { core: this.cores.load, timeoutMs: seconds * 1000 + 180000, statuses: [0, 1] });
  }

  /* The share of a core that a server takes which has nothing to do. */
  async idleShare(server, seconds) {
    const begin = cpuSeconds(server.process.pid);
    await sleep(seconds * 1000);
    return (cpuSeconds(server.process.pid) - begin) / seconds;
  }
}
