// Loads the server a little with rtctcp-load, in each mode: all has to arrive, and all has to end.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

import { Report, within } from '../browsers/check.mjs';
import { Server } from '../browsers/server.mjs';

const RUN_TIMEOUT_MS = 60000;
const END_TIMEOUT_MS = 10000;

/* What was measured is of interest when it is wrong. */
function check(report, holds, text, detail) {
  report.check(holds, text, holds ? '' : JSON.stringify(detail));
}

/* { status, json }: of one run. */
async function load(program, server, words) {
  const args = [...words.split(' '), '--json', '--quiet', '--pid', `${server.process.pid}`, server.url];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (part) => { out += part; });
  try {
    const [status] = await within(once(child, 'close'), RUN_TIMEOUT_MS, words);
    return { status, json: out ? JSON.parse(out) : null };
  } finally {
    child.kill('SIGKILL');
  }
}

function checkSessions(report, { status, json }, words, wanted) {
  const { sessions, errors } = json;
  check(report, status === 0 && json.ok && sessions.connected === wanted && sessions.failed === 0
    && sessions.lost === 0 && sessions.not_ended === 0, `${words}: all sessions come and go`,
    { status, sessions, errors });
}

function checkMedia(report, words, name, phase, expected) {
  const { delivered, lost, gaps, out_of_order: disorder, foreign } = phase;
  check(report, phase.expected >= expected && delivered === phase.expected && gaps === 0
    && disorder === 0, `${words}: all packets arrive, in order (${name})`,
    { expected: phase.expected, delivered, lost, gaps, disorder, foreign });
}

async function checkFanOut(report, program, server) {
  const words = 'fan-out --players 20 --seconds 2';
  const run = await load(program, server, words);
  checkSessions(report, run, words, 21);
  const phase = run.json.phases.run;
  checkMedia(report, words, 'run', phase, 20 * 400);
  check(report, phase.latency_us.p99 >= phase.latency_us.p50 && phase.latency_us.p50 > 0
    && phase.server.cpu_s > 0 && run.json.memory.sessions === 20, 'and what was measured is told',
    phase);
}

async function checkMany(report, program, server) {
  const words = 'many --publishers 3 --players 4 --packets 1 --rate 50 --codec vp8 --seconds 1';
  const run = await load(program, server, words);
  checkSessions(report, run, words, 15);
  checkMedia(report, words, 'run', run.json.phases.run, 12 * 40);
}

async function checkChurn(report, program, server) {
  for (const role of ['play', 'publish']) {
    const words = `churn --sessions 100 --role ${role}`;
    const run = await load(program, server, words);
    checkSessions(report, run, words, role === 'play' ? 101 : 100);
    check(report, run.json.setup.handshakes_per_s > 0, 'and its rate is told');
  }
}

async function checkIdle(report, program, server) {
  const words = 'idle --sessions 50 --seconds 1 --role publish';
  const run = await load(program, server, words);
  checkSessions(report, run, words, 50);
  check(report, run.json.memory.sessions === 49, 'the first one is not weighed');
}

async function checkSlow(report, program, server) {
  const words = 'slow --players 5 --slow 2 --seconds 1 --stall 3 --recover 2';
  const run = await load(program, server, words);
  checkSessions(report, run, words, 6);
  for (const name of ['before', 'during', 'after']) {
    checkMedia(report, words, name, run.json.phases[name], 3 * 200);
  }
  check(report, run.json.slow.picture_age_ms < 2000, 'the slow ones get a picture again',
    run.json.slow);
}

/* A signal ends the sessions too, and what was measured is told. */
async function checkSignal(report, program, server) {
  const args = ['fan-out', '--players', '5', '--json', server.url];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (part) => { out += part; });
  try {
    // Progress tells that the sessions are there.
    for await (const part of child.stderr) if (/sessions 5 connected/.test(part)) break;
    child.kill('SIGINT');
    const [status] = await within(once(child, 'close'), RUN_TIMEOUT_MS, 'the end by SIGINT');
    const { interrupted, ok, sessions } = JSON.parse(out);
    check(report, status === 1 && interrupted && !ok && sessions.not_ended === 0,
      'SIGINT ends the sessions, and the run', { status, sessions });
  } finally {
    child.kill('SIGKILL');
  }
}

async function checkFailure(report, program, server) {
  const { status, json } = await load(program, server, 'idle --sessions 2 --whep-path /none/%s --timeout 1');
  check(report, status === 1 && !json.ok && json.sessions.failed === 2 && json.errors.length > 0,
    'exit 1: what does not connect', json);
}

async function run(report, serverProgram, program) {
  const server = await Server.start(serverProgram);
  const checks = { checkFanOut, checkMany, checkChurn, checkIdle, checkSlow, checkSignal, checkFailure };
  try {
    const start = await server.settled();
    for (const [name, step] of Object.entries(checks)) {
      await report.step(`${name} comes to its end`, () => step(report, program, server));
    }
    const left = await server.difference(start, END_TIMEOUT_MS);
    report.check(left === '', 'and nothing is left at the server', left);
  } finally {
    server.kill();
  }
}

const [serverProgram, program] = process.argv.slice(2);
if (!program) {
  process.stderr.write('usage: smoke.mjs SERVER LOAD\n');
  process.exit(2);
}
const report = new Report();
await report.step('the run comes to its end',
  () => run(report, path.resolve(serverProgram), path.resolve(program)));
process.exit(report.summary() ? 0 : 1);
