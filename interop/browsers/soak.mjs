// Loads pages that publish, closes their tabs at random moments, and looks for what is left of them
// in the server: soak.mjs SERVER [LOADS [SEED]]

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { Report, sleep, within } from './check.mjs';
import { Chrome } from './chromium.mjs';
import { LIVE_COUNTS, Server } from './server.mjs';

const LOADS = 1000;
const TABS = 4; // at a time
const LOADS_A_BROWSER = 100; // Chrome's memory grows with them
const MOMENT_MS = 3000; // a tab is closed so long after its navigation, at most
const REPORT_MS = 10000;
const CLOSE_TIMEOUT_MS = 15000;
const STOP_TIMEOUT_MS = 2000;

/* Short ones, so that what is left behind goes soon. The handshake's deadline is twice the
 * session's timeout. */
const [SESSION_TIMEOUT_S, GRACE_S, FIRST_FRAME_S] = [3, 2, 3];
const RELEASE_TIMEOUT_MS = (2 * SESSION_TIMEOUT_S + GRACE_S + FIRST_FRAME_S) * 1000;

/* A stream of numbers in [0, 1) that seed and index determine (splitmix32). */
function randomOf(seed, index) {
  let state = (seed ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/* Runs in the page, before its own scripts. */
function publishAtOnce() {
  addEventListener('load', () => document.querySelector('#publish').click());
}

class Soak {
  constructor(report, server, loads, seed) {
    Object.assign(this, { report, server, loads, seed });
    this.begun = 0;
    this.done = 0;
    this.startedAt = performance.now();
    this.pageErrors = [];
  }

  /* One tab, from its navigation to its end, which comes at any moment: in three of four the page
   * is told and says its DELETE, and in the fourth it dies and says nothing. */
  async load(chrome, index) {
    const random = randomOf(this.seed, index);
    const momentMs = random() * MOMENT_MS;
    const dies = random() < 0.25;
    const page = await chrome.openEmpty();
    await page.goto(`/?publish=soak-${index}`, { waitUntil: 'commit' });
    await sleep(momentMs);
    await (dies ? chrome.crash(page) : chrome.close(page));
    this.done += 1;
  }

  async runTab(chrome, end) {
    while (this.begun < end) {
      const index = this.begun;
      this.begun += 1;
      await within(this.load(chrome, index), CLOSE_TIMEOUT_MS, `load ${index}`);
    }
  }

  /* A browser's share of the loads. */
  async runBrowser() {
    const end = Math.min(this.begun + LOADS_A_BROWSER, this.loads);
    const chrome = await Chrome.launch(this.server.url,
      (message) => this.pageErrors.push(message));
    try {
      await chrome.context.addInitScript(publishAtOnce);
      await Promise.all(Array.from({ length: TABS }, () => this.runTab(chrome, end)));
    } finally {
      await within(chrome.quit(), CLOSE_TIMEOUT_MS, 'Chromium closes');
    }
  }

  async tell() {
    const seconds = (performance.now() - this.startedAt) / 1000;
    const live = await this.server.live();
    const { pid } = this.server.process;
    const descriptors = readdirSync(`/proc/${pid}/fd`).length;
    const [, rss] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    const counts = LIVE_COUNTS.filter((name) => name !== 'descriptors')
      .map((name) => `${name} ${live[name]}`);
    this.report.note(`${seconds.toFixed(0).padStart(5)} s  ${this.done} loads, `
      + `${(this.done / seconds).toFixed(2)}/s  ${counts.join(', ')}, `
      + `descriptors ${descriptors}, RSS ${rss} KiB`);
  }

  async run() {
    const start = await this.server.settled();
    const timer = setInterval(() => {
      this.tell().catch((error) => this.report.check(false, 'the server answers', error.message));
    }, REPORT_MS);
    try {
      while (this.begun < this.loads) {
        await this.report.step('a browser serves its loads', () => this.runBrowser());
      }
    } finally {
      clearInterval(timer);
    }
    await this.checkEnd(start);
  }

  async checkEnd(start) {
    const { report, server } = this;
    report.check(this.done === this.loads, 'every page was loaded and closed',
      `${this.done} of ${this.loads}`);
    report.check(this.pageErrors.length === 0, 'no page had a script error', this.pageErrors[0]);
    const begin = performance.now();
    const difference = await server.difference(start, RELEASE_TIMEOUT_MS);
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    const counts = LIVE_COUNTS.map((name) => `${name} ${start[name]}`).join(', ');
    report.check(difference === '', 'every live count is back at its start',
      difference || `${seconds} s after the last tab: ${counts}`);
    await this.tell();
    const { made, handshakes, closes } = await this.ends();
    report.check(made > 0 && handshakes > 0, 'sessions were made, and some were connected',
      `${made}, ${handshakes} of them connected; ended by ${closes}`);
  }

  /* How the sessions ended. */
  async ends() {
    const text = await this.server.metricsText();
    const value = (name) => Number(new RegExp(`^rtctcp_${name}\\{.*\\} (\\d+)`, 'm').exec(text)[1]);
    const closes = [...text.matchAll(/^rtctcp_connection_closes_total\{.*reason="(.+?)"\} (\d+)/gm)]
      .filter(([, , count]) => count !== '0').map(([, reason, count]) => `${reason} ${count}`);
    return {
      made: value('connections_total'),
      handshakes: value('handshakes_total'),
      closes: closes.join(', '),
    };
  }
}

async function run(report, program, loads, seed) {
  const server = await Server.start(path.resolve(program),
    ['--session-timeout', SESSION_TIMEOUT_S, '--reconnect-grace', GRACE_S,
      '--first-frame-timeout', FIRST_FRAME_S, '--log-level', 'warn'].map(String));
  process.on('exit', () => server.kill());
  report.note(`${loads} loads, seed ${seed}, ${TABS} tabs at a time, ${server.url}`);
  try {
    await new Soak(report, server, loads, seed).run();
    const { code, signal, ms } = await server.terminate(STOP_TIMEOUT_MS);
    report.check(code === 0, 'SIGTERM ends the server with exit 0 within 2 s',
      `${signal ?? `exit ${code}`} after ${ms} ms`);
  } finally {
    if (report.failed > 0) report.note(`-- the server's log\n${server.log}`);
  }
}

async function main() {
  const anySeed = Math.floor(Math.random() * 2 ** 32);
  const [program, loads = LOADS, seed = anySeed] = process.argv.slice(2);
  if (!program || !(loads > 0) || !(seed >= 0)) {
    process.stderr.write('usage: soak.mjs SERVER [LOADS [SEED]]\n');
    process.exit(2);
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
  const report = new Report();
  await report.step('the soak begins', () => run(report, program, Number(loads), Number(seed)));
  process.exit(report.summary() ? 0 : 1);
}

await main();
