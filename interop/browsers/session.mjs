// One page's session: what must not change in it while its TCP conns come and go.

import { until } from './check.mjs';
import { readStats } from './stats.mjs';

const PANELS = { publisher: 'publish', player: 'play' };

export const statusText = (page, role) => page.evaluate(
  (id) => document.querySelector(id).textContent,
  `#${PANELS[role]}-status`,
);
export const panelState = (page, role) => page.evaluate(
  (id) => document.querySelector(id).dataset.state,
  `#${PANELS[role]}-panel`,
);

/* Runs in the page: notes what happens to the session from now on. */
function startNotes(role) {
  const pc = window.rtctcp[role];
  const notes = { dtls: [], signaling: [], connection: [], ice: [] };
  window.notes = notes;
  const { transport } = pc.getTransceivers()[0].sender;
  transport.addEventListener('statechange', () => notes.dtls.push(transport.state));
  pc.addEventListener('signalingstatechange', () => notes.signaling.push(pc.signalingState));
  pc.addEventListener('connectionstatechange', () => notes.connection.push(pc.connectionState));
  pc.addEventListener('iceconnectionstatechange', () => notes.ice.push(pc.iceConnectionState));
}

export class Session {
  /* role: 'publisher' or 'player', as in the page's window.rtctcp; it need not be live yet. */
  constructor(page, role, proxy) {
    this.page = page;
    this.role = role;
    this.proxy = proxy;
    this.etags = []; // of what the server answered about its ICE, in their order
    page.on('response', (response) => {
      const { etag } = response.headers();
      if (/POST|PATCH/.test(response.request().method()) && etag) this.etags.push(etag);
    });
  }

  /* The server's ufrag, as the page has been told it. */
  ufrag() {
    return this.page.evaluate((role) => /^a=ice-ufrag:(\S+)/m
      .exec(window.rtctcp[role].remoteDescription.sdp)[1], this.role);
  }

  async conns() {
    return this.proxy.of(await this.ufrag());
  }

  /* To be called when it is live. */
  startNotes() {
    return this.page.evaluate(startNotes, this.role);
  }

  /* What has happened since. */
  notes() {
    return this.page.evaluate(() => window.notes);
  }

  /* What a new handshake or a new negotiation would change. */
  async identity() {
    const { transport } = await readStats(this.page, this.role);
    const { dtlsState, dtlsRole, srtpCipher, localCertificateId, remoteCertificateId } = transport;
    return { dtlsState, dtlsRole, srtpCipher, localCertificateId, remoteCertificateId };
  }

  state() {
    return panelState(this.page, this.role);
  }

  status() {
    return statusText(this.page, this.role);
  }

  reaches(state, timeoutMs) {
    return until(async () => (await this.state()) === state, timeoutMs);
  }
}
