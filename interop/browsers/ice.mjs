// The client's side of ICE over TCP, as far as it takes to reach a session: one authenticated
// binding request (RFC 8489, RFC 8445) in a frame (RFC 4571).

import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';

import { within } from './check.mjs';

const TIMEOUT_MS = 5000;

const MAGIC_COOKIE = 0x2112a442;
const BINDING_REQUEST = 0x0001;
const HEADER_LEN = 20;
const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
const PRIORITY = 0x0024;
const USE_CANDIDATE = 0x0025;
const FINGERPRINT = 0x8028;
const FINGERPRINT_XOR = 0x5354554e;
const ICE_CONTROLLING = 0x802a;

function crc32(octets) {
  let crc = 0xffffffff;
  for (const octet of octets) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function uint32(number) {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(number);
  return octets;
}

function withAttribute(message, type, value) {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  const padding = Buffer.alloc((4 - (value.length % 4)) % 4);
  const longer = Buffer.concat([message, head, value, padding]);
  longer.writeUInt16BE(longer.length - HEADER_LEN, 2);
  return longer;
}

/* The last two attributes cover what is before them, with a length that counts them in. */
function withChecked(message, type, len, check) {
  const placed = withAttribute(message, type, Buffer.alloc(len));
  check(placed.subarray(0, message.length)).copy(placed, message.length + 4);
  return placed;
}

function bindingRequest(local, remote) {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(BINDING_REQUEST, 0);
  head.writeUInt32BE(MAGIC_COOKIE, 4);
  let message = Buffer.concat([head, randomBytes(12)]);
  message = withAttribute(message, USERNAME, Buffer.from(`${remote.ufrag}:${local.ufrag}`));
  message = withAttribute(message, ICE_CONTROLLING, randomBytes(8));
  message = withAttribute(message, PRIORITY, uint32(0x6e0000ff));
  message = withAttribute(message, USE_CANDIDATE, Buffer.alloc(0));
  message = withChecked(message, MESSAGE_INTEGRITY, 20,
    (covered) => createHmac('sha1', remote.pwd).update(covered).digest());
  return withChecked(message, FINGERPRINT, 4,
    (covered) => uint32((crc32(covered) ^ FINGERPRINT_XOR) >>> 0));
}

function framed(message) {
  const len = Buffer.alloc(2);
  len.writeUInt16BE(message.length);
  return Buffer.concat([len, message]);
}

/* ufrag and pwd of an SDP or a fragment. */
export function credentialsOf(sdp) {
  const [, ufrag] = /^a=ice-ufrag:(.*?)\r?$/m.exec(sdp);
  const [, pwd] = /^a=ice-pwd:(.*?)\r?$/m.exec(sdp);
  return { ufrag, pwd };
}

/* A TCP conn that has said nothing yet. */
export async function connect(port) {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await within(once(socket, 'connect'), TIMEOUT_MS, 'a TCP conn');
  return socket;
}

/* Connects and sends one binding request that nominates. Gives the socket with its response's
 * message type: 0x0101 is a success. */
export async function bind(port, local, remote) {
  const socket = await connect(port);
  socket.write(framed(bindingRequest(local, remote)));
  const [answer] = await within(once(socket, 'data'), TIMEOUT_MS, 'the binding response');
  return { socket, type: answer.readUInt16BE(2) };
}
