// Chromium loses its TCP conns to rtctcp-server, and comes back: comeback.mjs SERVER [PART...]

import path from 'node:path';

import { Report, sleep, within } from './check.mjs';
import { Chrome } from './chromium.mjs';
import { Cuts } from './cuts.mjs';
import { checkHandshakes } from './handshakes.mjs';
import { Proxy } from './proxy.mjs';
import { Restarts } from './restarts.mjs';
import { Server } from './server.mjs';
import { Session } from './session.mjs';
import { playAndTime } from './stats.mjs';
import { BINDING_ERROR, BINDING_SUCCESS } from './stun.mjs';

const TOTAL_TIMEOUT_MS = 200000;
const CONNECT_TIMEOUT_MS = 10000;
const RELEASE_TIMEOUT_MS = 10000;
const STOP_TIMEOUT_MS = 2000;
const START_UP_MS = 2000; // of the sender's rate control
const NAME = 'comeback';

/* Two tabs, one publishing and one playing what it does: { publisher, player }, each a Session. */
async function openSessions({ report, chrome, proxy }) {
  const publisher = new Session(await chrome.open(`/?publish=${NAME}`), 'publisher', proxy);
  await publisher.page.click('#publish');
  if (!report.check(await publisher.reaches('live', CONNECT_TIMEOUT_MS),
    'a page publishes through the proxy', await publisher.status())) return null;
  const player = new Session(await chrome.open(`/?play=${NAME}`), 'player', proxy);
  const ms = await playAndTime(player.page, CONNECT_TIMEOUT_MS);
  if (!report.check(ms !== null, 'another one plays through the proxy', await player.status())) {
    return null;
  }
  await sleep(START_UP_MS);
  await publisher.startNotes();
  await player.startNotes();
  return { publisher, player };
}

/* Chrome closes a TCP conn on which it is sent anything before the answer to its first request. It
 * may ask once more with the credentials that a restart has replaced, and is refused. */
function checkFirstFrames(report, proxy, retired) {
  const wrong = proxy.conns.filter(({ serverFrames: [first], ufrag }) => first
    && first.stunType !== BINDING_SUCCESS
    && !(first.stunType === BINDING_ERROR && retired.has(ufrag)));
  const heard = proxy.conns.filter((conn) => conn.serverFrames.length > 0).length;
  report.check(heard > 0 && wrong.length === 0,
    'on every TCP conn the server sent its binding response before all else',
    [`${heard} TCP conns`, ...wrong.map((conn) => JSON.stringify(conn.serverFrames))].join(', '));
}

const PARTS = {
  cuts: (parts) => new Cuts(parts).run(),
  handshakes: (parts) => checkHandshakes({ ...parts, name: NAME }),
  restarts: (parts) => new Restarts(parts).run(),
};

async function checkAll(parts, names) {
  const { report, server, proxy, chrome } = parts;
  const retired = new Set(); // ufrags that a restart has replaced
  const start = await server.settled();
  const sessions = await openSessions(parts);
  if (!sessions) return;
  for (const name of names) {
    await report.step(`the ${name} come to their end`,
      () => PARTS[name]({ ...parts, ...sessions, retired }));
  }
  checkFirstFrames(report, proxy, retired);
  await chrome.close(sessions.player.page);
  await chrome.close(sessions.publisher.page);
  const difference = await server.difference(start, RELEASE_TIMEOUT_MS);
  report.check(difference === '', 'every live count is back at its start', difference);
}

async function run(report, program, names) {
  const proxy = await Proxy.start();
  const server = await Server.start(path.resolve(program),
    ['--candidate', `127.0.0.1:${proxy.port}`]);
  process.on('exit', () => server.kill());
  proxy.target = Number(new URL(server.url).port);
  try {
    const chrome = await Chrome.launch(server.url,
      (message) => report.check(false, 'the page has no script error', message));
    report.note(`Chromium ${chrome.version}, ${server.url}, its media through port ${proxy.port}`);
    await within(checkAll({ report, server, proxy, chrome }, names), TOTAL_TIMEOUT_MS, 'all of it')
      .catch((error) => report.check(false, 'the run comes to its end', error.message));
    await within(chrome.quit(), 5000, 'Chromium closes')
      .catch((error) => report.note(error.message));
    const { code, signal, ms } = await server.terminate(STOP_TIMEOUT_MS);
    report.check(code === 0, 'SIGTERM ends the server with exit 0 within 2 s',
      `${signal ?? `exit ${code}`} after ${ms} ms`);
  } finally {
    proxy.stop();
    if (report.failed > 0 || report.passed === 0) report.note(`-- the server's log\n${server.log}`);
  }
}

async function main() {
  const [program, ...names] = process.argv.slice(2);
  if (!program || !names.every((name) => Object.hasOwn(PARTS, name))) {
    process.stderr.write(`usage: comeback.mjs SERVER [${Object.keys(PARTS).join('|')}]...\n`);
    process.exit(2);
  }
  // Leaving ends what was started: Playwright kills its browser at exit, run() its server.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
  const report = new Report();
  const chosen = names.length > 0 ? names : Object.keys(PARTS);
  await report.step('the run begins', () => run(report, program, chosen));
  process.exit(report.summary() ? 0 : 1);
}

await main();
