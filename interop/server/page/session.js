// A session: publishing by WHIP (RFC 9725) or playing by WHEP, from the offer to the DELETE.

import { quoted } from './util.js';

const ANSWER_TIMEOUT_MS = 10000;

/* An error whose message is for a person to read. */
class Refusal extends Error {}

function refusalText(status, reason, role, name) {
  const because = reason ? ` The server says: ${reason}` : '';
  if (status === 404 && role === 'play') {
    return `Nobody is publishing ${quoted(name)} now. Publish it first, then play it.`;
  }
  if (status === 409) {
    return `The name ${quoted(name)} is taken: somebody is publishing it. Choose another one.`;
  }
  if (status === 400 || status === 406) {
    return `The server could not use this browser's offer.${because}`;
  }
  if (status === 503) return `The server takes no new sessions now. Try again later.${because}`;
  return `The server refused with status ${status}.${because}`;
}

function reasonOf(response, body) {
  if (!/^text\/plain/.test(response.headers.get('Content-Type') ?? '')) return '';
  return body.trim().split('\n')[0].slice(0, 200);
}

async function postOffer(role, name, sdp) {
  const endpoint = `${role === 'publish' ? 'whip' : 'whep'}/${encodeURIComponent(name)}`;
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp' },
    body: sdp,
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  const body = await response.text();
  if (response.status !== 201) {
    throw new Refusal(refusalText(response.status, reasonOf(response, body), role, name));
  }
  const location = response.headers.get('Location');
  if (!location) throw new Refusal('The server did not say where the session can be ended.');
  return { answer: body, resource: new URL(location, response.url).href };
}

export function errorText(error) {
  if (error instanceof Refusal) return error.message;
  if (error.name === 'TimeoutError') return 'The server did not answer in time.';
  if (error instanceof TypeError) return 'The server could not be reached. Is it still running?';
  return `This browser gave up: ${error.message}`;
}

/* One WHIP or WHEP session, from the offer to the DELETE. */
export class Session {
  constructor(role, name) {
    this.role = role;
    this.name = name;
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.resource = null;
    this.answer = null; // the one that holds now
    this.media = null; // what end() closes with the session
    this.ended = false;
    this.connected = false; // has been, at least once
  }

  /* The offer goes at once: the server never connects to us, so it needs none of our candidates. */
  async negotiate() {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    const offer = this.pc.localDescription.sdp;
    const { answer, resource } = await postOffer(this.role, this.name, offer);
    this.resource = resource;
    this.answer = answer;
    if (this.ended) await this.release(); // the wait was too long for somebody
    else await this.pc.setRemoteDescription({ type: 'answer', sdp: answer });
  }

  /* Sends the DELETE before it first waits; keepalive lets it outlive the page. */
  async release() {
    const { resource } = this;
    this.resource = null;
    if (!resource) return;
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    await fetch(resource, { method: 'DELETE', keepalive: true, signal }).catch(() => {});
  }

  /* close() comes last: its close_notify would overtake the DELETE, which then finds nothing. */
  end() {
    this.ended = true;
    this.media?.close();
    this.release().then(() => this.pc.close());
  }
}
