// ICE restarts: one that is asked for, and those that the page makes by itself when a path is dead.

import { sleep, until } from './check.mjs';
import { causeOf, watchMachine } from './freezes.mjs';
import { Picture } from './picture.mjs';

const STILL_MS = 1000; // a restart of a healthy session: media never stops for longer
const WATCHED_MS = 2000;
const STEADY_MS = 600; // the picture has moved for so long: it is back
/* Chrome says so after 5 to 7 s, the page then waits for a second. */
const BACK_MS = 25000; // usually 6 to 10 s
const REFUSED_MS = 1500;
const RELEASE_MS = 3000;

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
  /* parts: { report, server, proxy, publisher, player, retired }, publisher and player of class
   * Session; retired is a set to which the replaced ufrags are added. */
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
    before.ufrags.forEach((ufrag) => this.retired.add(ufrag));
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
    }, RELEASE_MS);
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

  /* The page has to notice by itself that a path is dead, and how it is broken does not matter. */
  async checkDeadPath(title, sessions, destroy) {
    const before = await this.before(sessions);
    const at = clock();
    await destroy(before.conns);
    const { result: back, spans } = await this.watch(() => until(async () => {
      const { ms, to } = await this.picture.outage(at);
      return ms > STILL_MS && clock() - to > STEADY_MS && ms;
    }, BACK_MS));
    const excuse = back ? '' : causeOf({ from: at, to: clock(), ms: BACK_MS }, spans, 0);
    this.report.check(back || excuse, `${title}: the page restarts ICE, and the picture moves`,
      back ? `${Math.round(back)} ms without a new picture` : excuse || await this.player.status());
    await this.checkRestarted(title, sessions, before);
  }

  /* What waits on the TCP conns waits for ever; new ones pass. */
  checkBlackHole() {
    return this.checkDeadPath('a path that swallows everything', this.sessions,
      (conns) => conns.forEach((conn) => conn.hold()));
  }

  /* Chrome does not try again to connect, and gives up the pair five seconds after the cut. */
  checkRefusedReturn() {
    return this.checkDeadPath('a return that is refused', [this.player], async ([conn]) => {
      conn.finish();
      this.proxy.refuse();
      await sleep(REFUSED_MS);
      await this.proxy.listen();
    });
  }

  async run() {
    this.picture = await Picture.watch(this.player.page);
    await this.checkHealthy(this.player);
    await this.checkHealthy(this.publisher);
    await this.checkRefusedReturn();
    await this.checkBlackHole();
    await this.picture.stop();
  }
}
