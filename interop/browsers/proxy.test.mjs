// The proxy does to a TCP conn what the checks with a browser rely on.

import { once } from 'node:events';
import net from 'node:net';

import { Report, sleep, until, within } from './check.mjs';
import { Proxy } from './proxy.mjs';
import { BINDING_REQUEST, BINDING_SUCCESS } from './stun.mjs';

const QUIET_MS = 150; // in which nothing comes
const TIMEOUT_MS = 5000;

/* Collects what a socket sees: octets, an orderly end, an error. */
class End {
  constructor(socket) {
    this.socket = socket;
    this.octets = Buffer.alloc(0);
    this.ended = false;
    this.error = null;
    socket.on('data', (octets) => { this.octets = Buffer.concat([this.octets, octets]); });
    socket.on('end', () => { this.ended = true; });
    socket.on('error', ({ code }) => { this.error = code; });
  }

  has(count) {
    return until(() => this.octets.length >= count, TIMEOUT_MS, 5);
  }

  over() {
    return until(() => this.ended || this.error, TIMEOUT_MS, 5);
  }
}

/* A client and a server with the proxy between them. */
async function openPath(proxy, listener) {
  const accepted = once(listener, 'connection');
  const socket = net.connect(proxy.port, '127.0.0.1');
  const client = new End(socket);
  await once(socket, 'connect');
  const [peer] = await accepted;
  return { client, server: new End(peer), conn: proxy.conns.at(-1) };
}

/* A STUN message behind its RFC 4571 length; a USERNAME when one is given. */
function stunFrame(type, username = '') {
  const padded = Math.ceil(username.length / 4) * 4;
  const attributes = Buffer.alloc(username ? 4 + padded : 0);
  if (username) {
    attributes.writeUInt16BE(0x0006, 0);
    attributes.writeUInt16BE(username.length, 2);
    attributes.write(username, 4);
  }
  const head = Buffer.alloc(22);
  head.writeUInt16BE(20 + attributes.length, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(attributes.length, 4);
  head.writeUInt32BE(0x2112a442, 6);
  return Buffer.concat([head, attributes]);
}

async function checkPassing(report, path) {
  const [up, down] = [Buffer.alloc(300000, 'up'), Buffer.alloc(300000, 'down')];
  path.client.socket.write(up);
  path.server.socket.write(down);
  await path.client.has(down.length);
  await path.server.has(up.length);
  report.check(path.server.octets.equals(up) && path.client.octets.equals(down),
    'what passes is unchanged, both ways');
}

async function checkHolding(report, { client, server, conn }) {
  const [up, down] = [server.octets.length, client.octets.length];
  conn.hold();
  client.socket.write('abc');
  server.socket.write('defg');
  await sleep(QUIET_MS);
  report.check(server.octets.length === up && client.octets.length === down,
    'while it holds, nothing passes');
  conn.pass();
  await client.has(down + 4);
  await server.has(up + 3);
  report.check(server.octets.subarray(up).equals(Buffer.from('abc'))
    && client.octets.subarray(down).equals(Buffer.from('defg')),
    'what has waited passes in its order, and once');
}

async function checkEnd(report, path, how, ended, error) {
  path.conn[how]();
  await path.client.over();
  await path.server.over();
  const ends = [path.client, path.server];
  const seen = ends.map((end) => end.error ?? (end.ended ? 'FIN' : 'nothing'));
  report.check(ends.every((end) => end.ended === ended && end.error === error),
    `${how}() shows both sides ${error ?? 'a FIN'}`, seen.join(' and '));
  report.check(path.conn.closedBy === 'proxy', `${how}() is told as the proxy's`);
}

async function checkRefusal(report, proxy, listener, path) {
  proxy.refuse();
  const refused = new End(net.connect(proxy.port, '127.0.0.1'));
  await refused.over();
  report.check(refused.error === 'ECONNREFUSED', 'refuse() has the kernel refuse', refused.error);
  path.client.socket.write('on');
  report.check(await path.server.has(2), 'a live TCP conn goes on meanwhile');
  await proxy.listen();
  const again = await openPath(proxy, listener);
  again.client.socket.write('hello');
  report.check(await again.server.has(5), 'listen() has the same port pass again');
}

async function checkPlannedCut(report, proxy, listener) {
  proxy.cutNextAfter(10);
  const path = await openPath(proxy, listener);
  path.client.socket.write('request');
  path.server.socket.write('sixteen octets ..');
  await path.client.over();
  report.check(path.client.octets.toString() === 'sixteen oc' && path.client.ended,
    'cutNextAfter(10) lets ten octets of the server pass, and then a FIN', `${path.client.octets}`);
  const next = await openPath(proxy, listener);
  next.server.socket.write('sixteen octets ..');
  report.check(await next.client.has(17), 'it is for one TCP conn only');
}

/* Frames may come in any pieces. */
async function checkReading(report, proxy, listener) {
  const { client, server, conn } = await openPath(proxy, listener);
  for (const octet of stunFrame(BINDING_REQUEST, 'server:client')) {
    client.socket.write(Buffer.of(octet));
    await sleep(1);
  }
  server.socket.write(Buffer.concat([stunFrame(BINDING_SUCCESS), Buffer.from([0, 2, 22, 254])]));
  await client.has(26);
  report.check(conn.ufrag === 'server' && proxy.of('server').length === 1,
    'a TCP conn is known by the ufrag that it asks for', conn.ufrag);
  report.check(JSON.stringify(conn.serverFrames) === JSON.stringify(
    [{ stunType: BINDING_SUCCESS, len: 20 }, { stunType: null, len: 2 }]),
    "the server's first frames are known", JSON.stringify(conn.serverFrames));
}

async function checkAll(report, proxy, listener) {
  const open = () => openPath(proxy, listener);
  const path = await open();
  await checkPassing(report, path);
  await checkHolding(report, path);
  await checkEnd(report, path, 'finish', true, null);
  await checkEnd(report, await open(), 'reset', false, 'ECONNRESET');
  await checkRefusal(report, proxy, listener, await open());
  await checkPlannedCut(report, proxy, listener);
  await checkReading(report, proxy, listener);
}

async function main() {
  const report = new Report();
  const proxy = await Proxy.start();
  const listener = net.createServer({ allowHalfOpen: false }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  proxy.target = listener.address().port;
  report.note('-- the proxy');
  await report.step('the proxy is checked',
    () => within(checkAll(report, proxy, listener), 30000, 'all of it'));
  process.exit(report.summary() ? 0 : 1);
}

await main();
