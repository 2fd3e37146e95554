// Starts and stops rtctcp-server, and reads its metrics.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';

import { until } from './check.mjs';

const START_ATTEMPTS = 3;
const START_TIMEOUT_MS = 10000;
const LOG_LIMIT = 1 << 20; // [characters]

/* What must be back where it was when every session has ended. */
export const LIVE_COUNTS = ['connections', 'tcp_conns', 'sources', 'consumers', 'sessions',
  'coroutines', 'descriptors'];

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/* Without keep-alive: no socket of ours is left among the server's descriptors. */
export function request(method, url, { headers = {}, body, timeoutMs = 5000 } = {}) {
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: false, timeout: timeoutMs };
    const asked = http.request(url, options, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status, headers: answered } = response;
        resolve({ status, headers: answered, body: Buffer.concat(parts).toString() });
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`${url} did not answer`)));
    asked.on('error', reject);
    asked.end(body);
  });
}

/* Prometheus' text format as a map from name to value, summed over the labels. */
export function parseMetrics(text) {
  const sums = new Map();
  for (const line of text.split('\n')) {
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{.*\})?\s+(\S+)/.exec(line);
    if (sample) sums.set(sample[1], (sums.get(sample[1]) ?? 0) + Number(sample[2]));
  }
  return sums;
}

export class Server {
  constructor(process, port) {
    this.process = process;
    this.url = `http://127.0.0.1:${port}`;
    this.log = '';
    this.exited = null; // { code, signal } when it has
    const keep = (part) => { this.log = (this.log + part).slice(-LOG_LIMIT); };
    process.stdout.on('data', keep);
    process.stderr.on('data', keep);
    process.on('error', (error) => {
      keep(`${error.message}\n`);
      this.exited ??= { code: null, signal: null };
    });
    process.on('exit', (code, signal) => { this.exited = { code, signal }; });
  }

  /* Starts the program and waits until it answers. args come after --listen. launcher: a command that
   * becomes the program, as taskset does, so that the process is the same. */
  static async start(program, args = [], launcher = []) {
    for (let left = START_ATTEMPTS; ; left -= 1) {
      const port = await freePort();
      const [command, ...rest] = [...launcher, program, '--listen', `127.0.0.1:${port}`, ...args];
      const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
      const server = new Server(child, port);
      const healthy = async () => (await request('GET', `${server.url}/healthz`)).status === 200;
      const answer = await until(async () => server.exited || await healthy(), START_TIMEOUT_MS);
      if (answer === true) return server;
      server.kill();
      const why = server.exited ? 'it has ended' : '/healthz does not answer';
      /* A conn of somebody else's may have got the port since it was free. */
      if (left <= 1 || !/in use/.test(server.log)) throw new Error(`the server does not start: ${why}\n${server.log}`);
    }
  }

  /* How long each thread has been ready to run, and had no core: Map of thread to ms. */
  coreWaits() {
    const waits = new Map();
    const tasks = `/proc/${this.process.pid}/task`;
    try {
      for (const thread of readdirSync(tasks)) {
        const [, waited] = readFileSync(`${tasks}/${thread}/schedstat`, 'utf8').split(' ');
        waits.set(thread, Number(waited) / 1e6);
      }
    } catch {
      // A thread has ended, or the server has: what was read is still true.
    }
    return waits;
  }

  async metricsText() {
    const { status, body } = await request('GET', `${this.url}/metrics`);
    if (status !== 200) throw new Error(`/metrics answered ${status}`);
    return body;
  }

  async metrics() {
    return parseMetrics(await this.metricsText());
  }

  /* The live counts. Sockets of HTTP come and go with the browser's keep-alive: they are taken off
   * the descriptors. */
  async live() {
    const metrics = await this.metrics();
    const value = (name) => {
      const found = metrics.get(`rtctcp_${name}_live`);
      if (found === undefined) throw new Error(`/metrics has no rtctcp_${name}_live`);
      return found;
    };
    const counts = Object.fromEntries(LIVE_COUNTS.map((name) => [name, value(name)]));
    counts.descriptors -= value('http_connections');
    return counts;
  }

  /* The live counts once they stand still: what is set up lazily has been. */
  async settled(timeoutMs = 5000) {
    let before = JSON.stringify(await this.live());
    let same = 0;
    const still = await until(async () => {
      const now = JSON.stringify(await this.live());
      same = now === before ? same + 1 : 0;
      before = now;
      return same >= 3;
    }, timeoutMs);
    if (!still) throw new Error(`the live counts do not stand still: ${before}`);
    return JSON.parse(before);
  }

  /* Waits until the live counts are as they were. Gives what differs still as text, or ''. */
  async difference(start, timeoutMs) {
    let text = 'never read';
    await until(async () => {
      const now = await this.live();
      text = LIVE_COUNTS.filter((name) => now[name] !== start[name])
        .map((name) => `${name} ${start[name]} → ${now[name]}`).join(', ');
      return text === '';
    }, timeoutMs);
    return text;
  }

  /* Asks it to end as an operator would. { code, signal, ms }; SIGKILL: it had to be killed. */
  async terminate(timeoutMs) {
    const begin = performance.now();
    if (!this.exited) this.process.kill('SIGTERM');
    await until(() => this.exited, timeoutMs, 10);
    const ms = Math.round(performance.now() - begin);
    if (!this.exited) {
      this.kill();
      return { code: null, signal: 'SIGKILL', ms };
    }
    return { ...this.exited, ms };
  }

  kill() {
    if (!this.exited) this.process.kill('SIGKILL');
  }
}
