// A TCP proxy that can cut, reset, stall, swallow and refuse: a bad path from browser to server.

import { once } from 'node:events';
import net from 'node:net';

import { FrameReader, askedUfrag, stunType } from './stun.mjs';

const HOST = '127.0.0.1';
const FRAMES_KEPT = 4; // of the server, from the conn's beginning

/* One TCP conn through the proxy: the client's socket, and the one to the server. */
class Conn {
  constructor(proxy, client) {
    this.proxy = proxy;
    this.client = client;
    this.upstream = net.connect({ host: HOST, port: proxy.target, noDelay: true });
    this.openedAt = performance.timeOrigin + performance.now();
    this.live = true; // has been neither cut by us nor closed by an end
    this.closedBy = null; // 'client', 'server' or 'proxy'
    this.passing = true;
    this.cutAt = proxy.takeCut(); // octets from the server; null: no cut is planned
    this.octetsDown = 0;
    this.askedAt = null; // the client's first frame
    this.ufrag = null; // of the server: the session that the client asks for
    this.serverFrames = []; // the first ones: { stunType, len }
    this.readClient = new FrameReader((frame) => {
      this.ufrag = askedUfrag(frame);
      this.askedAt = performance.timeOrigin + performance.now();
      return false;
    });
    this.readServer = new FrameReader((frame) => {
      this.serverFrames.push({ stunType: stunType(frame), len: frame.length });
      return this.serverFrames.length < FRAMES_KEPT;
    });
    this.wire(this.client, this.upstream, 'client', (octets) => this.readClient.read(octets));
    this.wire(this.upstream, this.client, 'server', (octets) => this.onServer(octets));
  }

  wire(from, to, name, look) {
    from.on('data', (octets) => {
      if (!this.live) return; // cut: what still comes is not for anybody
      const passed = look(octets) ?? octets;
      if (passed.length > 0 && this.live && !to.write(passed)) from.pause();
      this.cutIfPlanned();
    });
    to.on('drain', () => {
      if (this.passing) from.resume();
    });
    from.on('error', () => {}); // 'close' follows
    from.on('end', () => this.onEnd(name, to));
    from.on('close', () => this.onEnd(name, to));
  }

  /* Gives what of the server's octets may pass. */
  onServer(octets) {
    const left = this.cutAt === null ? octets.length : this.cutAt - this.octetsDown;
    const passed = octets.subarray(0, left);
    this.octetsDown += passed.length;
    this.readServer.read(passed);
    return passed;
  }

  cutIfPlanned() {
    if (this.live && this.cutAt !== null && this.octetsDown >= this.cutAt) this.finish();
  }

  onEnd(name, to) {
    if (!this.live) return;
    this.live = false;
    this.closedBy = name;
    to.end();
  }

  /* An orderly end to both sides, as by a middlebox that gives up. */
  finish() {
    this.over((socket) => {
      socket.resume();
      socket.end();
    });
  }

  reset() {
    this.over((socket) => socket.resetAndDestroy());
  }

  over(end) {
    if (!this.live) return;
    this.live = false;
    this.closedBy = 'proxy';
    [this.client, this.upstream].forEach(end);
  }

  /* Nothing passes until pass(); the kernels' buffers fill up, and both ends see an open conn. */
  hold() {
    this.passing = false;
    [this.client, this.upstream].forEach((socket) => socket.pause());
  }

  pass() {
    this.passing = true;
    [this.client, this.upstream].forEach((socket) => socket.resume());
  }

  destroy() {
    this.live = false;
    [this.client, this.upstream].forEach((socket) => socket.destroy());
  }
}

export class Proxy {
  constructor() {
    this.conns = []; // all there ever were, in their order
    this.target = null; // the server's port, to be set before the first conn
    this.port = 0;
    this.nextCut = null;
  }

  static async start() {
    const proxy = new Proxy();
    await proxy.listen();
    return proxy;
  }

  async listen() {
    this.server = net.createServer({ noDelay: true }, (client) => {
      this.conns.push(new Conn(this, client));
    });
    this.server.listen(this.port, HOST);
    await once(this.server, 'listening');
    this.port = this.server.address().port;
  }

  /* New conns are refused by the kernel until listen(); live ones go on. */
  refuse() {
    this.server.close();
  }

  /* The next conn is cut when so many octets of the server have passed; the ones after it pass. */
  cutNextAfter(octets) {
    this.nextCut = octets;
  }

  takeCut() {
    const cut = this.nextCut;
    this.nextCut = null;
    return cut;
  }

  /* Those of one session, by the server's ufrag. */
  of(ufrag) {
    return this.conns.filter((conn) => conn.ufrag === ufrag);
  }

  stop() {
    this.server.close();
    this.conns.forEach((conn) => conn.destroy());
  }
}
