// What rtctcp-server's HTTP says and does, without a browser: http.mjs SERVER

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';

import { Report, until, within } from './check.mjs';
import { bind, connect, credentialsOf } from './ice.mjs';
import { request, Server } from './server.mjs';

const TOTAL_TIMEOUT_MS = 120000;
const STOP_TIMEOUT_MS = 2000;
const TOLD_TIMEOUT_MS = 5000;
const DRAIN_S = 2;
const LAST_ANSWERS = 8;
const RETRY_AFTER = /^[1-9][0-9]?$/;
const STRONG_TAG = /^"[\x21\x23-\x7e]+"$/;

const SDP = { 'Content-Type': 'application/sdp' };
const FRAGMENT = { 'Content-Type': 'application/trickle-ice-sdpfrag' };

const readOffer = (name) => readFileSync(
  new URL(`../server/test/offers/chrome-${name}.sdp`, import.meta.url), 'utf8',
).replace(/\r?\n/g, '\r\n');
const OFFERS = { whip: readOffer('publish'), whep: readOffer('play') };

/* A fragment of the client's, for a restart when its credentials are new. */
const fragmentOf = ({ ufrag, pwd }) => `a=ice-ufrag:${ufrag}\r\na=ice-pwd:${pwd}\r\n`
  + 'm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n'
  + 'a=candidate:1 1 tcp 1518214911 192.0.2.1 9 typ host tcptype active\r\n'
  + 'a=end-of-candidates\r\n';
const freshCredentials = (n) => ({ ufrag: `new${n}`, pwd: `${n}`.padStart(24, 'p') });

/* One session, as its client knows it. */
class Client {
  static async open(server, role, stream) {
    const client = new Client();
    client.server = server;
    client.answer = await request('POST', `${server.url}/${role}/${stream}`,
      { headers: SDP, body: OFFERS[role] });
    const { status, headers, body } = client.answer;
    if (status !== 201) throw new Error(`POST /${role}/${stream}: ${status} ${body}`);
    client.url = new URL(headers.location, server.url).href;
    client.etag = headers.etag;
    client.local = credentialsOf(OFFERS[role]);
    client.remote = credentialsOf(body);
    return client;
  }

  patch(body, ifMatch, headers = FRAGMENT) {
    const condition = ifMatch ? { 'If-Match': ifMatch } : {};
    return request('PATCH', this.url, { headers: { ...headers, ...condition }, body });
  }

  /* An ICE restart that has to succeed. */
  async restart(local) {
    const answer = await this.patch(fragmentOf(local), '*');
    if (answer.status !== 200) throw new Error(`PATCH: ${answer.status} ${answer.body}`);
    this.local = local;
    this.remote = credentialsOf(answer.body);
    this.etag = answer.headers.etag;
  }

  /* Reaches the session, so that a drain finds it begun. */
  async bind() {
    const { socket, type } = await bind(new URL(this.url).port, this.local, this.remote);
    if (type !== 0x0101) throw new Error(`binding response ${type.toString(16)}`);
    return socket;
  }

  end(headers = {}) { return request('DELETE', this.url, { headers }); }
}

/* Each answer of the list has its status: [text, wanted status, promise of the answer]. */
async function checkStatuses(report, list) {
  for (const [text, wanted, asked] of list) {
    const { status, body } = await asked();
    report.check(status === wanted, `${wanted}: ${text}`,
      status === wanted ? '' : `${status} ${body.trim()}`);
  }
}

const hasCors = ({ headers }) => headers['access-control-allow-origin'] === '*'
  && /\bETag\b/.test(headers['access-control-expose-headers']);

// ---- PATCH ------------------------------------------------------------------------------------

async function checkPreflight(report, server, client) {
  const endpoint = await request('OPTIONS', `${server.url}/whip/demo`);
  const resource = await request('OPTIONS', client.url);
  report.check(endpoint.headers['accept-post'] === SDP['Content-Type']
    && endpoint.headers.allow === 'POST, OPTIONS', 'OPTIONS on an endpoint names POST');
  report.check(resource.headers['accept-patch'] === FRAGMENT['Content-Type']
    && resource.headers.allow === 'PATCH, DELETE, OPTIONS'
    && resource.headers['access-control-allow-methods'] === resource.headers.allow
    && /\bIf-Match\b/.test(resource.headers['access-control-allow-headers']),
    'OPTIONS on a session names PATCH');
  report.check([endpoint, resource, client.answer].every(hasCors),
    'pages of other origins see ETag and Location');
}

async function checkTrickle(report, server, role) {
  const client = await Client.open(server, role, 'demo');
  const trickle = fragmentOf(client.local);
  report.check(STRONG_TAG.test(client.etag), `${role}: POST gives a strong ETag`, client.etag);
  await checkStatuses(report, [
    ['candidates trickle with the ETag', 204, () => client.patch(trickle, client.etag)],
    ['candidates trickle without credentials', 204,
      () => client.patch('a=end-of-candidates\r\n', client.etag)],
    ['candidates trickle with one ETag of several', 204,
      () => client.patch(trickle, `"another", ${client.etag}`)],
    ['PATCH without If-Match', 428, () => client.patch(trickle)],
    ['PATCH with another ETag', 412, () => client.patch(trickle, '"another"')],
    ['PATCH with a weak ETag', 412, () => client.patch(trickle, `W/${client.etag}`)],
    ['a restart with another ETag', 412,
      () => client.patch(fragmentOf(freshCredentials(1)), '"another"')],
    ['PATCH with SDP', 415, () => client.patch(OFFERS[role], '*', SDP)],
    ['PATCH without a type', 415, () => client.patch(trickle, '*', {})],
    ['a fragment that is none', 400, () => client.patch('hello', '*')],
    ['an empty fragment', 400, () => client.patch('', '*')],
    ['a new ufrag without a new pwd', 400,
      () => client.patch(fragmentOf({ ...client.local, ufrag: 'new1' }), '*')],
    ['GET of a session', 405, () => request('GET', client.url)],
    ['PATCH of no session', 404,
      () => request('PATCH', `${client.url.slice(0, -1)}x`,
        { headers: { ...FRAGMENT, 'If-Match': '*' }, body: trickle })],
  ]);
  const refused = await client.patch(trickle, '*', SDP);
  report.check(refused.headers['accept-patch'] === FRAGMENT['Content-Type'] && hasCors(refused),
    '415 says what PATCH takes');
  const { headers } = await client.patch(trickle, client.etag);
  report.check(!headers.etag, 'a trickle is answered without an ETag');
  return client;
}

async function checkRestart(report, client) {
  const before = client.etag;
  const first = freshCredentials(1);
  const answer = await client.patch(fragmentOf(first), '*');
  const { etag, 'content-type': type } = answer.headers;
  const { ufrag, pwd } = credentialsOf(answer.body);
  report.check(answer.status === 200 && type === FRAGMENT['Content-Type']
    && STRONG_TAG.test(etag) && etag !== before,
    'a restart is answered with a fragment and a new ETag', `${answer.status} ${etag}`);
  report.check(ufrag !== client.remote.ufrag && pwd !== client.remote.pwd
    && /^a=ice-lite\r\n(a=group:BUNDLE .*\r\n)m=\S+ 9 .*\r\na=mid:0\r\n/.test(answer.body)
    && /\r\na=candidate:.* tcptype passive\r\n/.test(answer.body)
    && answer.body.endsWith('\r\na=end-of-candidates\r\n'),
    'the fragment has new credentials and the candidates');
  const again = await client.patch(fragmentOf(first), '*');
  report.check(again.status === 200 && again.body === answer.body
    && again.headers.etag === etag, 'the same restart again gets the same answer');
  await checkStatuses(report, [
    ['the old ETag is outdated', 412, () => client.patch(fragmentOf(first), before)],
    ['the new one is not', 204, () => client.patch(fragmentOf(first), etag)],
    ['a restart with the ETag', 200,
      () => client.patch(fragmentOf(freshCredentials(2)), etag)],
    ['a restart with a star in quotes', 200,
      () => client.patch(fragmentOf(freshCredentials(3)), '"*"')],
  ]);
}

async function checkEnd(report, client) {
  await checkStatuses(report, [
    ['DELETE, whatever If-Match says', 200, () => client.end({ 'If-Match': '"another"' })],
    ['DELETE once more', 404, () => client.end()],
    ['PATCH of a session that has ended', 404, () => client.patch(fragmentOf(client.local), '*')],
  ]);
}

/* The session's TCP conn is replaced by one with the credentials of the restart. */
async function checkRestartedConn(report, server) {
  const client = await Client.open(server, 'whip', 'moved');
  const old = await client.bind();
  const closed = once(old, 'close');
  old.resume();
  await client.restart(freshCredentials(1));
  const fresh = await client.bind();
  const gone = await within(closed, TOLD_TIMEOUT_MS, 'the old TCP conn goes').then(() => true);
  report.check(gone && !fresh.closed, 'a TCP conn with new credentials takes the place of the old');
  await client.end();
  fresh.destroy();
}

async function checkPatch(report, program) {
  const server = await Server.start(program);
  try {
    const publisher = await checkTrickle(report, server, 'whip');
    await checkPreflight(report, server, publisher);
    await checkRestart(report, publisher);
    const player = await checkTrickle(report, server, 'whep');
    await checkRestart(report, player);
    await checkRestartedConn(report, server);
    await checkEnd(report, player);
    await checkEnd(report, publisher);
    const debug = await request('GET', `${server.url}/debug/sessions`);
    report.check(debug.status === 404, '404: /debug/sessions without --debug');
    const { code, signal } = await server.terminate(STOP_TIMEOUT_MS);
    report.check(code === 0, 'SIGTERM ends it with 0', `${signal ?? code}`);
  } finally {
    server.kill();
  }
}

// ---- /debug/sessions --------------------------------------------------------------------------

const keysAreSorted = (value) => {
  if (value === null || typeof value !== 'object') return true;
  const keys = Object.keys(value);
  return (Array.isArray(value) || keys.every((key, i) => i === 0 || keys[i - 1] < key))
    && Object.values(value).every(keysAreSorted);
};

/* What is told of all workers: sessions and sockets are on any of them. */
const ofAllWorkers = (debug, what) => debug.workers.flatMap((worker) => worker[what]);

function checkReport(report, debug, client) {
  const connections = ofAllWorkers(debug, 'connections');
  const strangers = ofAllWorkers(debug, 'unattached_tcp_conns');
  const [connection] = connections;
  report.check(connections.length === 1 && connection.state === 'connecting'
    && connection.holders.registry === 1 && connection.age_ms >= connection.state_age_ms,
    'it tells of the Connection', JSON.stringify(connection.holders));
  report.check(connection.tcp_conns.length === 1 && connection.tcp_conns[0].state === 'packets'
    && connection.tcp_conns[0].holders.connection === 1
    && connection.tcp_conns[0].holders.executor === 1, 'and of its TCP conn');
  report.check(connection.resource.path === new URL(client.url).pathname
    && connection.resource.role === 'whip' && connection.resource.stream === 'demo',
    'and of its resource');
  report.check(strangers.some(({ state }) => state === 'first-frame'),
    'and of a TCP conn that is of no session');
}

async function checkDebug(report, program) {
  const server = await Server.start(program, ['--debug']);
  try {
    const client = await Client.open(server, 'whip', 'demo');
    const socket = await client.bind();
    const stranger = await connect(new URL(server.url).port);
    const answer = await request('GET', `${server.url}/debug/sessions`);
    const debug = JSON.parse(answer.body);
    report.check(answer.status === 200 && answer.headers['content-type'] === 'application/json'
      && answer.body.startsWith('{\n  "') && keysAreSorted(debug),
      '/debug/sessions is sorted JSON for people');
    checkReport(report, debug, client);
    stranger.destroy();
    await client.end();
    socket.destroy();
    const empty = await until(async () => {
      const { body } = await request('GET', `${server.url}/debug/sessions`);
      const told = JSON.parse(body);
      return ofAllWorkers(told, 'connections').length
        + ofAllWorkers(told, 'unattached_tcp_conns').length === 0;
    }, TOLD_TIMEOUT_MS);
    report.check(empty, 'and it is empty when all have gone');
  } finally {
    server.kill();
  }
}

// ---- Threads ----------------------------------------------------------------------------------

/* proc(5): field 41 of stat is the policy; the second one, the name, is in parentheses. */
const policyOf = (task) => Number(readFileSync(`${task}/stat`, 'utf8').split(') ').at(-1).split(' ')[38]);
const SCHED_BATCH = 3;

/* What handles requests waits for what handles media, and nothing else does. */
async function checkThreads(report, program) {
  const server = await Server.start(program, ['--workers', '2']);
  try {
    const tasks = `/proc/${server.process.pid}/task`;
    const batch = readdirSync(tasks).filter((id) => policyOf(`${tasks}/${id}`) === SCHED_BATCH);
    const names = batch.map((id) => readFileSync(`${tasks}/${id}/comm`, 'utf8').trim());
    report.check(names.length === 1 && names[0].startsWith('MHD'),
      'the HTTP thread, and no other, is a batch thread', names.join(', '));
  } finally {
    server.kill();
  }
}

// ---- The cap, and drains ----------------------------------------------------------------------

const post = (server, stream) => request('POST', `${server.url}/whip/${stream}`,
  { headers: SDP, body: OFFERS.whip });

const refusesForNow = ({ status, headers }) => status === 503
  && RETRY_AFTER.test(headers['retry-after']);

async function checkCap(report, program) {
  const server = await Server.start(program, ['--sessions-max', '1']);
  try {
    const client = await Client.open(server, 'whip', 'one');
    report.check(refusesForNow(await post(server, 'two')),
      '503: one session more than --sessions-max, with Retry-After');
    await client.end();
    const free = await until(async () => (await post(server, 'two')).status === 201,
      TOLD_TIMEOUT_MS);
    report.check(free, '201: again when there is room');
  } finally {
    server.kill();
  }
}

const isDraining = async (server) => (await server.metrics()).get('rtctcp_draining') === 1;

/* { code, signal } of a server that is to end by itself. */
const exitOf = (server, timeoutMs) => until(() => server.exited, timeoutMs, 10);

/* A server that drains, with one session that goes on. */
async function startDraining(program, seconds, report) {
  const server = await Server.start(program, ['--drain', `${seconds}`]);
  const client = await Client.open(server, 'whip', 'live');
  const socket = await client.bind();
  const unbegun = await Client.open(server, 'whip', 'unbegun');
  report?.check(!await isDraining(server), 'rtctcp_draining is 0 at first');
  const signalled = performance.now();
  server.process.kill('SIGTERM');
  const told = await until(() => isDraining(server), TOLD_TIMEOUT_MS, 10);
  report?.check(told, 'rtctcp_draining is 1 after SIGTERM');
  return { server, client, socket, unbegun, signalled };
}

async function checkDrain(report, program) {
  const { server, client, socket, unbegun } = await startDraining(program, 60, report);
  try {
    report.check(refusesForNow(await post(server, 'late')),
      '503: POST during a drain, with Retry-After');
    await checkStatuses(report, [['and POST for a player of nobody', 503,
      () => request('POST', `${server.url}/whep/nobody`, { headers: SDP, body: OFFERS.whep })]]);
    const answer = await client.patch(fragmentOf(client.local), client.etag);
    report.check(answer.status === 204, '204: PATCH of a session that goes on');
    await client.restart(freshCredentials(1));
    await checkStatuses(report, [
      ['a session that nobody had reached has ended', 404, () => unbegun.end()],
      ['/metrics goes on', 200, () => request('GET', `${server.url}/metrics`)],
      ['DELETE of the last session', 200, () => client.end()],
    ]);
    const exited = await exitOf(server, STOP_TIMEOUT_MS);
    report.check(exited?.code === 0, 'the last session ends the drain, with exit 0');
  } finally {
    socket.destroy();
    server.kill();
  }
}

/* The answer to the DELETE that ends a drain goes out before HTTP stops: a race, so in turns. */
async function checkLastAnswer(report, program) {
  let answers = 0;
  for (let turn = 0; turn < LAST_ANSWERS; turn += 1) {
    const { server, client, socket } = await startDraining(program, 60);
    const answered = await client.end().then(({ status }) => status === 200, () => false);
    const exited = await exitOf(server, STOP_TIMEOUT_MS);
    answers += answered && exited?.code === 0 ? 1 : 0;
    socket.destroy();
    server.kill();
  }
  report.check(answers === LAST_ANSWERS, 'the DELETE that ends a drain is answered, each time',
    `${answers} of ${LAST_ANSWERS}`);
}

async function checkDrainDeadline(report, program) {
  const { server, socket, signalled } = await startDraining(program, DRAIN_S);
  const exited = await exitOf(server, DRAIN_S * 1000 + STOP_TIMEOUT_MS);
  const ms = Math.round(performance.now() - signalled);
  report.check(exited?.code === 0 && ms >= DRAIN_S * 1000,
    'the deadline ends a drain, with exit 0', `after ${ms} ms`);
  socket.destroy();
  server.kill();
}

async function checkSecondSignal(report, program) {
  const { server, socket } = await startDraining(program, 60);
  const { code, signal, ms } = await server.terminate(STOP_TIMEOUT_MS);
  report.check(code === 0, 'a second SIGTERM ends a drain at once, with exit 0',
    `${signal ?? code} after ${ms} ms`);
  socket.destroy();
}

async function checkIdleDrain(report, program) {
  const server = await Server.start(program, ['--drain', '60']);
  const { code, signal, ms } = await server.terminate(STOP_TIMEOUT_MS);
  report.check(code === 0, 'without sessions a drain is over at once, with exit 0',
    `${signal ?? code} after ${ms} ms`);
}

function checkArguments(report, program) {
  for (const args of [['--drain', 'soon'], ['--drain', '-1'], ['--sessions-max', '0']]) {
    const { status } = spawnSync(program, args, { timeout: TOLD_TIMEOUT_MS });
    report.check(status === 2, `exit 2: ${args.join(' ')}`, `${status}`);
  }
}

async function run(report, program) {
  const steps = { checkArguments, checkPatch, checkDebug, checkThreads, checkCap, checkDrain, checkLastAnswer,
    checkDrainDeadline, checkSecondSignal, checkIdleDrain };
  for (const [name, step] of Object.entries(steps)) {
    await report.step(`${name} comes to its end`, () => step(report, program));
  }
}

const [program] = process.argv.slice(2);
if (!program) {
  process.stderr.write('usage: http.mjs SERVER\n');
  process.exit(2);
}
const report = new Report();
await report.step('the run comes to its end',
  () => within(run(report, path.resolve(program)), TOTAL_TIMEOUT_MS, 'all of it'));
process.exit(report.summary() ? 0 : 1);
