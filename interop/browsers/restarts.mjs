// ICE restarts: one that is asked for, and those that the page makes by itself when a path is dead.

import { sleep, until } from './check.mjs';
import { causeOf, watchMachine } from './freezes.mjs';
import { Picture } from './picture.mjs';

const STILL_MS = 1000; // a restart of a healthy session: media never stops for longer
const WATCHED_MS = 3000;
/* Chrome calls a pair unwritable after 5 s without answers, the page then waits for a second. */
const BACK_MS = 12000;
const SETTLE_MS = 2000;

const clock = () => performance.timeOrigin + performance.now();

/* Runs in the page: what it does itself when a connection is lost. */
async function restartInPage(role) {
  const { Restarter } = await import('./restart.js');
  const pc = window.rtctcp[role];
  const session = {
    pc,
    resource: window.rtctcp[`${role}Location`],
    answer: pc.remoteDescription.sdp,
    ended: false,
  };
  await new Restarter(session, { tell() {}, fail() {} }).restart();
}

export class Restarts {
  /* parts: { report, server, proxy, publisher, player }, the last two of class Session. */
  constructor(parts) {
    Object.assign(this, parts);
    this.sessions = [this.publisher, this.player];
  }

  async before(sessions) {
    const metrics = await this.server.metrics();
    return {
      count: (name) => metrics.get(`rtctcp_${name}`),
      identities: await Promise.all(sessions.map((each) => each.identity())),
      ufrags: await Promise.all(sessions.map((each) => each.ufrag())),
      etags: sessions.map((each) => each.etags.at(-1)),
      conns: await Promise.all(sessions.map(async (each) => (await each.conns()).at(-1))),
    };
  }

  watch(run) {
    const parts = { server: this.server, publisher: this.publisher.page, player: this.player.page };
    return watchMachine(parts, run);
  }

  /* What a restart changes, and what it leaves as it was. */
  async checkRestarted(title, sessions, before) {
    const { report } = this;
    const after = await this.before(sessions);
    const changed = (what) => sessions.every((_, i) => before[what][i] && after[what][i]
      && before[what][i] !== after[what][i]);
    report.check(changed('ufrags') && changed('etags'), `${title}: ufrag and ETag are new`,
      `${before.etags.join()} → ${after.etags.join()}`);
    report.check(changed('conns'), `${title}: media goes over a new TCP conn`);
    const notes = await Promise.all(sessions.map((each) => each.notes()));
    const steady = ['connections_total', 'connection_closes_total', 'handshakes_total']
      .filter((name) => after.count(name) !== before.count(name));
    const same = JSON.stringify(after.identities) === JSON.stringify(before.identities);
    report.check(same && notes.every(({ dtls }) => dtls.length === 0) && steady.length === 0,
      `${title}: the session and its DTLS are the same`,
      steady.join(', ') || after.identities.map(({ dtlsState }) => dtlsState).join(' and '));
    const released = await until(async () => {
      const { count } = await this.before([]);
      return count('connections_live') === 2 && count('tcp_conns_live') === 2;
    }, SETTLE_MS);
    report.check(released, `${title}: the server has released the old TCP conns`);
  }

  async checkHealthy(session) {
    const title = `restartIce() of a healthy ${session.role}`;
    const before = await this.before([session]);
    const { result, spans } = await this.watch(async () => {
      const at = clock();
      await session.page.evaluate(restartInPage, session.role);
      await sleep(WATCHED_MS);
      return this.picture.longestStandstill(at);
    });
    const late = result.ms > STILL_MS;
    const excuse = late ? causeOf(result, spans, STILL_MS) : '';
    this.report.check(!late || excuse, `${title}: the picture never stops for longer than 1 s`,
      `${Math.round(result.ms)} ms${excuse && `, as ${excuse}`}`);
    await this.checkRestarted(title, [session], before);
    this.report.check(before.conns[0].closedBy === 'server',
      `${title}: the old TCP conn was ended by the server`, before.conns[0].closedBy ?? 'it lives');
  }

  /* What waits on the TCP conns waits for ever; new ones pass. */
  async checkDeadPath() {
    const title = 'a dead path';
    const { report, sessions } = this;
    const before = await this.before(sessions);
    const at = clock();
    before.conns.forEach((conn) => conn.hold());
    const states = new Set();
    const { result: back, spans } = await this.watch(() => until(async () => {
      states.add(await this.player.status());
      const { from, to } = await this.picture.longestStandstill(at);
      return to > at + STILL_MS && to < clock() - STILL_MS && to - from;
    }, BACK_MS));
    const excuse = back ? '' : causeOf({ from: at, to: clock(), ms: BACK_MS }, spans, 0);
    report.check(back || excuse, `${title}: the page restarts ICE, and the picture moves again`,
      back ? `${Math.round(back)} ms without a new picture` : excuse);
    states.forEach((text) => report.note(`     the player read: ${text}`));
    await sleep(SETTLE_MS);
    await this.checkRestarted(title, sessions, before);
  }

  async run() {
    this.picture = await Picture.watch(this.player.page);
    await this.checkHealthy(this.player);
    await this.checkHealthy(this.publisher);
    await this.checkDeadPath();
    await this.picture.stop();
  }
}
