// The path to the server is cut, and everything goes on: publisher and player come back by
// themselves.

import { sleep, until } from './check.mjs';
import { causeOf, watchMachine } from './freezes.mjs';
import { Picture } from './picture.mjs';

const BACK_MS = 3000; // from the cut until the picture moves again
const SERVER_MS = 700; // of these, from Chrome's binding request on: a keyframe is encoded and sent
/* Chrome connects anew at once, but asks only when its next check is due: 2.5 s after the last one,
 * for which it looks every 480 ms. */
const CHROME_MS = 3200;
const WATCHED_MS = 4000; // from the cut on, at most
const STEADY_MS = 600; // the picture has moved for so long: it is back
const TURNS = 3; // of a cut, while the machine or Chrome's timers make it late
const STALL_MS = 2000;
const ROUNDS = Number(process.env.RTC_CUT_ROUNDS ?? 1); // more of them give better figures
/* Chrome gives a lost TCP conn five seconds to come back, and then looks once whether it has: a
 * second cut must not be under way at that moment. */
const APART_MS = 5300;

const clock = () => performance.timeOrigin + performance.now();

/* Counters that tell whether a session was made, ended, or handshaken anew. */
const LASTING = ['connections_total', 'connection_closes_total', 'handshakes_total'];

export class Cuts {
  /* parts: { report, server, proxy, publisher, player }, the last two of class Session. */
  constructor(parts) {
    Object.assign(this, parts);
    this.cutAt = new Map(); // of each session, when it was cut last
    this.times = [];
  }

  async counters() {
    const metrics = await this.server.metrics();
    return (name) => metrics.get(`rtctcp_${name}`);
  }

  /* Does what the name says to the newest TCP conn of each, once each may be cut again. */
  async cut(sessions, how) {
    const wait = Math.max(...sessions.map((each) => (this.cutAt.get(each) ?? 0) + APART_MS))
      - clock();
    if (wait > 0) await sleep(wait);
    const conns = await Promise.all(sessions.map(async (each) => (await each.conns()).at(-1)));
    conns.forEach((conn) => conn[how]());
    const at = clock();
    sessions.forEach((each) => this.cutAt.set(each, at));
    return at;
  }

  /* Cuts once: what came of it. */
  async watchCut(sessions, how) {
    const counts = await Promise.all(sessions.map(async (each) => (await each.conns()).length));
    const parts = { server: this.server, publisher: this.publisher.page, player: this.player.page };
    const { result, spans } = await watchMachine(parts, async () => {
      const at = await this.cut(sessions, how);
      return { at, still: await this.awaitPicture(sessions, counts, at) };
    });
    const fresh = await this.freshConns(sessions, counts);
    const askedAt = fresh.map((all) => all.find((conn) => conn.askedAt)?.askedAt ?? Infinity);
    const waitMs = Math.max(...askedAt) - result.at;
    const backMs = result.still.to - result.at;
    return {
      fresh,
      waitMs,
      backMs,
      stillMs: result.still.ms,
      excuse: this.excuse(result, backMs, waitMs, spans),
    };
  }

  /* Those that each session has made beside the first count ones. */
  async freshConns(sessions, counts) {
    const conns = await Promise.all(sessions.map((each) => each.conns()));
    return conns.map((all, i) => all.slice(counts[i]));
  }

  /* The outage since the cut, once everybody is back and the picture moves. */
  async awaitPicture(sessions, counts, at) {
    let still;
    await until(async () => {
      const fresh = await this.freshConns(sessions, counts);
      still = await this.picture.outage(at);
      const back = fresh.every((all) => all.some((conn) => conn.serverFrames.length > 0));
      return back && clock() - still.to > STEADY_MS;
    }, WATCHED_MS);
    return still;
  }

  /* Why it took too long, when that was not the server's doing; '' when it was. */
  excuse({ at, still }, backMs, waitMs, spans) {
    const machine = causeOf({ from: at, to: still.to, ms: backMs }, spans, BACK_MS);
    if (machine) return machine;
    if (waitMs > CHROME_MS || backMs - waitMs > SERVER_MS) return '';
    return `Chrome asked for nothing before ${Math.round(waitMs)} ms had passed`;
  }

  /* Again, while only the machine or Chrome is late: neither shows anything against the server. */
  async cutInTime(title, sessions, how) {
    for (let turn = 1; ; turn += 1) {
      const seen = await this.watchCut(sessions, how);
      this.times.push(seen);
      const late = seen.backMs > BACK_MS;
      if (!late || !seen.excuse || turn === TURNS) return { ...seen, late, turns: turn };
      const after = Math.round(seen.backMs);
      this.report.note(`     ${title}: cut again, it took ${after} ms: ${seen.excuse}`);
    }
  }

  async checkCut(title, sessions, how) {
    const { report } = this;
    const before = await this.counters();
    const identities = await this.identities(sessions);
    const seen = await this.cutInTime(title, sessions, how);
    const after = await this.counters();
    const [backMs, waitMs, stillMs] = [seen.backMs, seen.waitMs, seen.stillMs].map(Math.round);
    report.check(!seen.late || seen.excuse !== '', `${title}: the picture moves again within 3 s`,
      `after ${backMs} ms, of which Chrome took ${waitMs} to ask; it stood still for ${stillMs} ms`
      + `${seen.late ? `; ${seen.excuse}` : ''}`);
    const back = report.check(seen.fresh.every((all) => all.length === 1),
      `${title}: on one new TCP conn`, seen.fresh.map((all) => all.length).join(' and '));
    await this.checkUnchanged(title, sessions, identities, before, after);
    if (!back) throw new Error(`${title}: the next cuts would show nothing`);
  }

  identities(sessions) {
    return Promise.all(sessions.map((each) => each.identity())).then(JSON.stringify);
  }

  /* The same sessions with the same handshakes, and nothing lives that did not before. */
  async checkUnchanged(title, sessions, identities, before, after) {
    const { report } = this;
    const now = await this.identities(sessions);
    const notes = await Promise.all(sessions.map((each) => each.notes()));
    const told = notes.flatMap(({ dtls, signaling }) => [...dtls, ...signaling]);
    const moved = LASTING.filter((name) => after(name) !== before(name));
    report.check(now === identities && told.length === 0 && moved.length === 0,
      `${title}: the session, its DTLS and what was negotiated are the same`,
      [...moved.map((name) => `${name} ${before(name)} → ${after(name)}`), ...told].join(', ')
      || JSON.parse(now)[0].dtlsState);
    const live = await until(async () => {
      const read = await this.counters();
      return read('connections_live') === 2 && read('tcp_conns_live') === 2;
    }, 2000);
    report.check(live, `${title}: one TCP conn for each of the two sessions is left`);
  }

  /* Nothing passes for a while, and then what has waited: no TCP conn is lost by that. */
  async checkStall() {
    const title = 'a stall of 2 s';
    const sessions = [this.publisher, this.player];
    const before = await this.counters();
    const conns = this.proxy.conns.length;
    const identities = await this.identities(sessions);
    const seen = await this.watchStall(sessions);
    const after = await this.counters();
    this.report.check(seen.backMs <= BACK_MS || seen.excuse !== '',
      `${title}: the picture moves again within 1 s of its end`,
      `${Math.round(seen.backMs - STALL_MS)} ms after it${seen.excuse && `; ${seen.excuse}`}`);
    this.report.check(this.proxy.conns.length === conns,
      `${title}: both go on on the TCP conns that they had`);
    await this.checkUnchanged(title, sessions, identities, before, after);
  }

  async watchStall(sessions) {
    const parts = { server: this.server, publisher: this.publisher.page, player: this.player.page };
    const conns = await Promise.all(sessions.map(async (each) => (await each.conns()).at(-1)));
    const { result, spans } = await watchMachine(parts, async () => {
      conns.forEach((conn) => conn.hold());
      const at = clock();
      await sleep(STALL_MS);
      conns.forEach((conn) => conn.pass());
      await sleep(WATCHED_MS - STALL_MS);
      return { at, still: await this.picture.outage(at) };
    });
    const backMs = result.still.to - result.at;
    const excuse = backMs <= BACK_MS ? ''
      : causeOf({ from: result.at, to: result.still.to, ms: backMs }, spans, BACK_MS);
    return { backMs, excuse };
  }

  tellTimes() {
    const spread = (read) => {
      const sorted = this.times.map(read).sort((a, b) => a - b).map(Math.round);
      return [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].join(', ');
    };
    this.report.note(`     ${this.times.length} cuts; least, median and most [ms]: `
      + `${spread((seen) => seen.waitMs)} until Chrome asks, `
      + `${spread((seen) => seen.backMs - seen.waitMs)} from then on, `
      + `${spread((seen) => seen.backMs)} until the picture moves`);
  }

  async run() {
    const { publisher, player } = this;
    this.picture = await Picture.watch(player.page);
    for (let round = 0; round < ROUNDS; round += 1) {
      await this.checkCut('player, FIN', [player], 'finish');
      await this.checkCut('publisher, FIN', [publisher], 'finish');
      await this.checkCut('player, reset', [player], 'reset');
      await this.checkCut('publisher, reset', [publisher], 'reset');
      await this.checkCut('both, FIN', [publisher, player], 'finish');
    }
    this.tellTimes();
    await this.checkStall();
    await this.picture.stop();
  }
}
