// Reads what the proxy's checks need of the frames on a TCP conn: RFC 4571 framing, STUN's head.

const COOKIE = 0x2112a442; // RFC 8489 section 5
const HEADER_LEN = 20;
const ATTRIBUTE_USERNAME = 0x0006;

export const BINDING_REQUEST = 0x0001;
export const BINDING_SUCCESS = 0x0101;
export const BINDING_ERROR = 0x0111;

/* Splits the octets of one direction into frames, for as long as onFrame says true. */
export class FrameReader {
  constructor(onFrame) {
    this.onFrame = onFrame;
    this.rest = Buffer.alloc(0);
    this.done = false;
  }

  read(octets) {
    if (this.done) return;
    this.rest = Buffer.concat([this.rest, octets]);
    while (!this.done && this.rest.length >= 2) {
      const end = 2 + this.rest.readUInt16BE(0);
      if (this.rest.length < end) return;
      this.done = !this.onFrame(this.rest.subarray(2, end));
      this.rest = this.rest.subarray(end);
    }
    if (this.done) this.rest = null;
  }
}

/* The type of a STUN message; null when the frame is none. */
export function stunType(frame) {
  const stun = frame.length >= HEADER_LEN && frame[0] < 4 && frame.readUInt32BE(4) === COOKIE;
  return stun ? frame.readUInt16BE(0) : null;
}

/* The ufrag that a binding request asks for: what USERNAME has before the colon; or null. */
export function askedUfrag(frame) {
  if (stunType(frame) !== BINDING_REQUEST) return null;
  let at = HEADER_LEN;
  while (at + 4 <= frame.length) {
    const [type, len] = [frame.readUInt16BE(at), frame.readUInt16BE(at + 2)];
    if (type === ATTRIBUTE_USERNAME) {
      return frame.toString('utf8', at + 4, at + 4 + len).split(':')[0];
    }
    at += 4 + len + ((4 - (len % 4)) % 4); // RFC 8489 section 14: padded to four octets
  }
  return null;
}
