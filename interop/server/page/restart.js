// Gets a lost connection back by an ICE restart over HTTP (RFC 9725 section 4.3.3). DTLS, SRTP and
// what is published or played go on; only the way there is found anew.

const PATIENCE_MS = 1000; // an interruption may pass, or the browser may get back by itself
const ANSWER_TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 8000; // for a restart that was answered
const RETRY_FIRST_MS = 500;
const RETRY_LAST_MS = 8000;

const FRAGMENT_TYPE = 'application/trickle-ice-sdpfrag';
// What a fragment tells, in the order of RFC 8840 section 9.2.
const TOLD = [/^a=group:BUNDLE /, /^m=/, /^a=mid:/, /^a=candidate:/, /^a=ice-pwd:/,
  /^a=ice-ufrag:/, /^a=ice-options:/];

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const linesOf = (text) => text.split(/\r?\n/).filter(Boolean);
const textOf = (lines) => lines.map((line) => `${line}\r\n`).join('');

/* The session has ended: there is nothing left to get back to. */
export class SessionGone extends Error {}

/* The ICE of an offer: the bundle's, which its first section tells. */
function fragmentOf(offer) {
  const lines = linesOf(offer);
  const isSection = (line) => line.startsWith('m=');
  const second = lines.findIndex((line, i) => isSection(line)
    && lines.slice(0, i).some(isSection));
  const first = second < 0 ? lines : lines.slice(0, second);
  return textOf(TOLD.flatMap((pattern) => first.filter((line) => pattern.test(line))));
}

/* The answer that holds from now on: what was agreed stays, its ICE is the fragment's. */
function withIceOf(fragment, answer) {
  const told = linesOf(fragment);
  const ufrag = told.find((line) => line.startsWith('a=ice-ufrag:'));
  const pwd = told.find((line) => line.startsWith('a=ice-pwd:'));
  let candidates = told.filter((line) => /^a=(candidate:|end-of-candidates)/.test(line));
  const replaced = (line) => {
    if (line.startsWith('a=ice-ufrag:')) return [ufrag];
    if (!line.startsWith('a=ice-pwd:')) return /^a=(candidate|end-of-)/.test(line) ? [] : [line];
    const here = [pwd, ...candidates];
    candidates = []; // in the first section only: it speaks for the bundle
    return here;
  };
  return textOf(linesOf(answer).flatMap(replaced));
}

/* Asks once. The answer's fragment; null: no answer, or none of use, so ask again. */
async function ask(resource, fragment) {
  let response;
  let body;
  try {
    response = await fetch(resource, {
      method: 'PATCH',
      headers: { 'Content-Type': FRAGMENT_TYPE, 'If-Match': '*' },
      body: fragment,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    body = await response.text();
  } catch {
    return null;
  }
  if (response.status === 200) return body;
  if (response.status < 500) throw new SessionGone(`PATCH: ${response.status}`);
  return null;
}

export class Restarter {
  /* tell(reachable): a restart begins; was the server reached the last time?
   * fail(error): it is given up, for a SessionGone or for what the browser does not take. */
  constructor(session, { tell, fail }) {
    this.session = session;
    this.tell = tell;
    this.fail = fail;
    this.timer = null;
    this.running = false;
  }

  get connected() { return this.session.pc.connectionState === 'connected'; }

  /* The connection's state has changed. */
  onState(state) {
    clearTimeout(this.timer);
    if (state !== 'disconnected' && state !== 'failed') return;
    this.timer = setTimeout(() => this.run().catch(this.fail),
      state === 'failed' ? 0 : PATIENCE_MS);
  }

  async run() {
    if (this.running) return;
    this.running = true;
    try {
      while (!this.session.ended && !this.connected) await this.restart();
    } finally {
      this.running = false;
    }
  }

  /* One restart, and the wait for what comes of it. */
  async restart() {
    const { session } = this;
    const { pc } = session;
    this.tell(true);
    pc.restartIce();
    await pc.setLocalDescription(await pc.createOffer());
    const fragment = await this.askUntilAnswered(fragmentOf(pc.localDescription.sdp));
    if (session.ended) return;
    session.answer = withIceOf(fragment, session.answer);
    await pc.setRemoteDescription({ type: 'answer', sdp: session.answer });
    const deadline = performance.now() + CONNECT_TIMEOUT_MS;
    while (!session.ended && !this.connected && performance.now() < deadline) await sleep(100);
  }

  /* The same fragment each time: if only the answer got lost, the server gives it again. */
  async askUntilAnswered(fragment) {
    for (let wait = RETRY_FIRST_MS; !this.session.ended; wait = Math.min(wait * 2, RETRY_LAST_MS)) {
      const answer = await ask(this.session.resource, fragment);
      if (answer !== null) return answer;
      this.tell(false);
      await sleep(wait);
    }
    return null;
  }
}
