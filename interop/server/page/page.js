// The page's script: publishes by WHIP (RFC 9725), plays by WHEP, and says what is going on.
// Loaded as a worker, the same file is the drawn picture's clock: see DrawnMedia.

const FRAME_RATE = 30; // [frames/s]
const ANSWER_TIMEOUT_MS = 10000;
const FIGURES_INTERVAL_MS = 1000;
const SILENCE_TICKS = 3; // so many readings without a packet: the publisher has gone

const $ = (selector, root = document) => root.querySelector(selector);
const quoted = (name) => `“${name}”`;

// -- Media ----------------------------------------------------------------------------------------

/* A picture that shows time and frame number, with a soft tone and a pip each second. */
class DrawnMedia {
  constructor(title) {
    this.title = title;
    this.frame = 0;
    this.second = -1;
    this.canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
    this.context = this.canvas.getContext('2d', { alpha: false });
    this.startTone();
    this.draw();
    // A page in the background gets no animation frames and slow timers; a worker's go on.
    this.clock = new Worker(import.meta.url, { type: 'module' });
    this.clock.onmessage = () => this.draw();
    this.stream = this.canvas.captureStream(FRAME_RATE);
    this.stream.addTrack(this.audioTrack);
  }

  startTone() {
    this.audio = new AudioContext();
    const output = this.audio.createMediaStreamDestination();
    const voice = (frequency, level) => {
      const oscillator = new OscillatorNode(this.audio, { frequency });
      const gain = new GainNode(this.audio, { gain: level });
      oscillator.connect(gain).connect(output);
      oscillator.start();
      return gain.gain;
    };
    voice(220, 0.04);
    voice(330, 0.025);
    this.pip = voice(880, 0);
    this.audioTrack = output.stream.getAudioTracks()[0];
    this.audio.resume();
  }

  soundPip() {
    const now = this.audio.currentTime;
    this.pip.setValueAtTime(0.15, now);
    this.pip.exponentialRampToValueAtTime(0.0001, now + 0.12);
    this.pip.setValueAtTime(0, now + 0.13);
  }

  draw() {
    const now = new Date();
    this.frame += 1;
    if (now.getSeconds() !== this.second) {
      this.second = now.getSeconds();
      this.soundPip();
    }
    const { width, height } = this.canvas;
    this.drawGround(width, height, now / 1000);
    this.drawDial(250, height / 2, 150, now.getMilliseconds() / 1000);
    this.drawText(now);
  }

  drawGround(width, height, seconds) {
    const hue = 215 + 45 * Math.sin(seconds / 6); // teal to violet
    const gradient = this.context.createLinearGradient(0, 0, width, height);
    gradient.addColorStop(0, `hsl(${hue} 45% 22%)`);
    gradient.addColorStop(1, `hsl(${hue + 50} 50% 12%)`);
    this.context.fillStyle = gradient;
    this.context.fillRect(0, 0, width, height);
    // The runner takes four seconds to cross the picture: a stutter is seen at once.
    this.context.fillStyle = 'rgb(255 255 255 / 85%)';
    this.context.fillRect(((seconds / 4) % 1) * (width - 120), height - 14, 120, 14);
  }

  drawDial(x, y, radius, turn) {
    const { context } = this;
    const top = -Math.PI / 2;
    context.lineWidth = 14;
    context.strokeStyle = 'rgb(255 255 255 / 18%)';
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
    context.lineCap = 'round';
    context.strokeStyle = '#ffffff';
    context.beginPath();
    context.arc(x, y, radius, top, top + turn * 2 * Math.PI);
    context.stroke();
  }

  drawText(now) {
    const { context } = this;
    context.textBaseline = 'middle';
    context.fillStyle = 'rgb(255 255 255 / 75%)';
    context.font = '600 40px system-ui, sans-serif';
    context.fillText(this.title, 500, 245, 740);
    context.fillText(`frame ${this.frame}`, 500, 475);
    context.fillStyle = '#ffffff';
    context.font = '600 112px ui-monospace, "DejaVu Sans Mono", monospace';
    context.fillText(now.toTimeString().slice(0, 8), 494, 360);
  }

  close() {
    this.clock.terminate();
    this.audio.close();
    this.stream.getTracks().forEach((track) => track.stop());
  }
}

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: FRAME_RATE } };

async function openCamera(audio) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: CAMERA, audio });
  return { stream, close: () => stream.getTracks().forEach((track) => track.stop()) };
}

function whyNoCamera(error) {
  if (!navigator.mediaDevices) return 'Browsers give a camera to https and localhost pages only';
  if (error.name === 'NotAllowedError') return 'The camera was not permitted';
  if (error.name === 'NotFoundError') return 'No camera was found';
  if (error.name === 'NotReadableError') return 'The camera is in use elsewhere';
  return `The camera can't be opened (${error.name})`;
}

/* What is published: { stream, close(), notice }. */
async function openMedia(source, name) {
  if (source === 'drawn') return Object.assign(new DrawnMedia(name), { notice: '' });
  try {
    return { ...await openCamera(true), notice: '' };
  } catch (error) {
    if (error.name === 'NotFoundError') {
      const silent = await openCamera(false).catch(() => null);
      if (silent) return { ...silent, notice: 'No microphone was found: there is no sound.' };
    }
    return Object.assign(new DrawnMedia(name), {
      notice: `${whyNoCamera(error)}: a drawn picture with a tone is published instead.`,
    });
  }
}

/* One codec only, so that what was chosen is what is sent. */
function preferCodec(transceiver, mimeType) {
  const kept = RTCRtpSender.getCapabilities('video').codecs
    .filter((codec) => codec.mimeType === mimeType || codec.mimeType === 'video/rtx');
  transceiver.setCodecPreferences(kept);
}

// -- Signalling -----------------------------------------------------------------------------------

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

function errorText(error) {
  if (error instanceof Refusal) return error.message;
  if (error.name === 'TimeoutError') return 'The server did not answer in time.';
  if (error instanceof TypeError) return 'The server could not be reached. Is it still running?';
  return `This browser gave up: ${error.message}`;
}

/* One WHIP or WHEP session, from the offer to the DELETE. */
class Session {
  constructor(role, name) {
    this.role = role;
    this.name = name;
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.resource = null;
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

// -- Figures --------------------------------------------------------------------------------------

const CONNECTION_WORDS = {
  new: 'New',
  connecting: 'Connecting',
  connected: 'Connected',
  disconnected: 'Interrupted',
  failed: 'Failed',
  closed: 'Closed',
};

function formatBitrate(bitsPerSecond) {
  if (bitsPerSecond >= 1e6) return `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
  return `${Math.round(bitsPerSecond / 1e3)} kbit/s`;
}

/* SRTP_AEAD_AES_128_GCM, with or without the first word: AES-128-GCM. */
const formatCipher = (name) => name.replace(/^(SRTP_)?(AEAD_)?/, '').replaceAll('_', '-');

/* Reads getStats() and keeps what the next reading's rates need. */
class Figures {
  constructor(pc) {
    this.pc = pc;
    this.before = null;
  }

  async read() {
    const reports = [...(await this.pc.getStats()).values()];
    const byId = (id) => reports.find((report) => report.id === id);
    const rtp = (kind) => reports.find((report) => report.kind === kind
      && (report.type === 'outbound-rtp' || report.type === 'inbound-rtp'));
    const transport = reports.find((report) => report.type === 'transport');
    const pair = byId(transport?.selectedCandidatePairId)
      ?? reports.find((report) => report.type === 'candidate-pair' && report.nominated);
    const [audio, video] = [rtp('audio'), rtp('video')];
    return {
      connection: CONNECTION_WORDS[this.pc.connectionState],
      transport: this.transportText(pair, byId),
      codecs: [video, audio].map((stream) => byId(stream?.codecId)?.mimeType.split('/')[1])
        .filter(Boolean).join(', '),
      cipher: formatCipher(transport?.srtpCipher ?? ''),
      picture: video?.frameWidth ? `${video.frameWidth} × ${video.frameHeight}` : '',
      frameRate: video?.framesPerSecond ? `${Math.round(video.framesPerSecond)} fps` : '',
      bitrate: this.bitrateText([audio, video].filter(Boolean)),
      roundTrip: pair?.currentRoundTripTime === undefined ? ''
        : `${(pair.currentRoundTripTime * 1000).toFixed(1)} ms`,
    };
  }

  transportText(pair, byId) {
    const remote = byId(pair?.remoteCandidateId);
    return remote ? `${remote.protocol.toUpperCase()}, port ${remote.port}` : '';
  }

  bitrateText(streams) {
    const octets = (stream) => stream.bytesSent ?? stream.bytesReceived ?? 0;
    const now = { time: performance.now(), octets: streams.reduce((sum, s) => sum + octets(s), 0) };
    const { before } = this;
    this.before = now;
    this.moving = before !== null && now.octets > before.octets;
    if (before === null || streams.length === 0) return '';
    return formatBitrate(((now.octets - before.octets) * 8000) / (now.time - before.time));
  }
}

// -- Panels ---------------------------------------------------------------------------------------

const BADGES = {
  idle: 'Idle',
  busy: 'Connecting',
  live: 'Live',
  wait: 'Waiting',
  error: 'Stopped',
};

/* One half of the page: its buttons, its words, and the session behind them. */
class Panel {
  constructor(role) {
    this.role = role;
    this.session = null;
    this.root = $(`#${role}-panel`);
    this.startButton = $(`#${role}`);
    this.stopButton = $(`#${role}-stop`);
    this.status = $(`#${role}-status`);
    this.video = $('video', this.root);
    this.startButton.onclick = () => this.start();
    this.stopButton.onclick = () => this.stop();
  }

  show(state, text) {
    const focused = document.activeElement;
    const focusVisible = focused.matches(':focus-visible');
    this.root.dataset.state = state;
    $('.badge', this.root).textContent = BADGES[state];
    if (this.status.textContent !== text) this.status.textContent = text;
    this.stopButton.disabled = this.session === null;
    // The button that was pressed is covered or off now: the keyboard goes on with the other one.
    if (focused === this.startButton && this.session) this.stopButton.focus({ focusVisible });
    if (focused === this.stopButton && !this.session) this.startButton.focus({ focusVisible });
    this.showTitle();
  }

  showFigures(figures) {
    for (const cell of this.root.querySelectorAll('[data-fact]')) {
      cell.textContent = figures?.[cell.dataset.fact] || '–';
    }
  }

  showTitle() {
    const on = this.root.dataset.state === 'live';
    document.title = on ? `${this.session.name}: ${this.liveWord} · rtctcp` : 'rtctcp';
  }

  async start() {
    const name = readStreamName();
    if (name === null || this.session) return;
    const session = new Session(this.role, name);
    this.session = session;
    this.expose(session);
    this.show('busy', this.openingText);
    try {
      await this.prepare(session);
      if (session.ended) return;
      this.watch(session);
      this.show('busy', 'Asking the server…');
      await session.negotiate();
      if (!session.ended && !session.connected) this.show('busy', 'Connecting over TCP…');
    } catch (error) {
      this.finish(session, 'error', errorText(error));
    }
  }

  stop() {
    if (this.session) this.finish(this.session, 'idle', this.stoppedText(this.session.name));
  }

  /* Once for each session: whoever notices its end first. */
  finish(session, state, text) {
    if (session.ended) return;
    clearInterval(this.timer);
    session.end();
    this.session = null;
    this.expose(null);
    this.video.srcObject = null;
    this.show(state, text);
    this.showFigures(null);
  }

  watch(session) {
    const { pc } = session;
    const figures = new Figures(pc);
    pc.onconnectionstatechange = () => this.onConnection(session, pc.connectionState);
    this.timer = setInterval(async () => {
      const read = await figures.read();
      if (session.ended) return;
      this.showFigures(read);
      this.onFigures(session, figures.moving);
    }, FIGURES_INTERVAL_MS);
  }

  onConnection(session, state) {
    if (session.ended) return;
    if (state === 'connected') {
      session.connected = true;
      // close_notify shows here alone: the connection's own state does not tell it from a loss.
      const dtls = session.pc.getTransceivers()[0].sender.transport;
      dtls.onstatechange = () => {
        if (dtls.state !== 'closed' || session.ended) return;
        session.resource = null;
        this.finish(session, 'error', this.endedText(session));
      };
      this.onConnected(session);
    } else if (state === 'disconnected') {
      this.show('wait', 'The connection was interrupted. The browser is trying to get it back…');
    } else if (state === 'failed') {
      this.finish(session, 'error', session.connected
        ? 'The connection was lost and did not come back.'
        : 'No TCP connection to the server came about. A firewall or a proxy may be in the way.');
    }
  }

  /* Scripts that drive the page find what is live here. */
  expose(session) {
    window.rtctcp[this.exposedName] = session?.pc ?? null;
    Object.defineProperty(window.rtctcp, `${this.exposedName}Location`, {
      get: () => session?.resource ?? null,
      configurable: true,
      enumerable: true,
    });
  }
}

class PublishPanel extends Panel {
  constructor() {
    super('publish');
    this.exposedName = 'publisher';
    this.liveWord = 'publishing';
    this.openingText = 'Opening the camera…';
    this.source = $('#source');
    this.codec = $('#codec');
    this.disableMissingCodecs();
    this.expose(null);
  }

  disableMissingCodecs() {
    const codecs = RTCRtpSender.getCapabilities('video').codecs;
    for (const option of this.codec.options) {
      option.disabled = !codecs.some((codec) => codec.mimeType === option.value);
      if (option.disabled) option.text += ' (not in this browser)';
    }
  }

  show(state, text) {
    super.show(state, text);
    this.source.disabled = this.session !== null;
    this.codec.disabled = this.session !== null;
  }

  stoppedText(name) { return `Stopped publishing ${quoted(name)}.`; }
  endedText({ name }) { return `The server ended the publishing of ${quoted(name)}.`; }

  async prepare(session) {
    const media = await openMedia(this.source.value, session.name);
    if (session.ended) {
      media.close();
      return;
    }
    session.media = media;
    this.video.srcObject = media.stream;
    this.video.play().catch(() => {});
    media.stream.getTracks().forEach((track) => this.addTrack(session, track));
  }

  addTrack(session, track) {
    const streams = [session.media.stream];
    const transceiver = session.pc.addTransceiver(track, { direction: 'sendonly', streams });
    if (track.kind === 'video') preferCodec(transceiver, this.codec.value);
    track.onended = () => {
      this.finish(session, 'error', 'The camera or the microphone was taken away.');
    };
  }

  onConnected(session) {
    this.show('live', `Publishing ${quoted(session.name)}. ${session.media.notice}`.trim());
  }

  onFigures() {}
}

class PlayPanel extends Panel {
  constructor() {
    super('play');
    this.exposedName = 'player';
    this.liveWord = 'playing';
    this.openingText = 'Asking the server…';
    this.sound = $('#sound');
    this.fullscreen = $('#fullscreen');
    this.sound.onclick = () => this.setMuted(!this.video.muted);
    this.fullscreen.onclick = () => $('.stage', this.root).requestFullscreen();
    this.fullscreen.hidden = !document.fullscreenEnabled;
    this.expose(null);
  }

  show(state, text) {
    super.show(state, text);
    this.sound.disabled = this.session === null;
    this.fullscreen.disabled = this.session === null;
  }

  setMuted(muted) {
    this.video.muted = muted;
    this.sound.textContent = muted ? 'Unmute' : 'Mute';
    if (this.root.dataset.state === 'live') this.onPlaying(this.session);
  }

  stoppedText(name) { return `Stopped playing ${quoted(name)}.`; }
  endedText({ name }) { return `The server ended the playing of ${quoted(name)}.`; }

  async prepare(session) {
    const stream = new MediaStream();
    session.pc.addTransceiver('audio', { direction: 'recvonly' });
    session.pc.addTransceiver('video', { direction: 'recvonly' });
    session.pc.ontrack = ({ track }) => stream.addTrack(track);
    session.silentTicks = 0;
    // Loudspeaker into microphone would howl.
    this.setMuted(window.rtctcp.publisher !== null);
    this.video.srcObject = stream;
    this.video.play().catch((error) => this.onRefusedSound(error));
  }

  /* A page that nobody has touched yet may play without sound only. */
  onRefusedSound(error) {
    if (error.name !== 'NotAllowedError') return;
    this.setMuted(true);
    this.video.play().catch(() => {});
  }

  onConnected(session) {
    this.show('busy', 'Connected. Waiting for the first picture…');
    this.video.requestVideoFrameCallback(() => this.onPlaying(session));
  }

  onPlaying(session) {
    if (session.ended) return;
    const muted = this.video.muted ? ' The sound is muted.' : '';
    this.show('live', `Playing ${quoted(session.name)}.${muted}`);
  }

  onFigures(session, moving) {
    if (session.pc.connectionState !== 'connected') return;
    session.silentTicks = moving ? 0 : session.silentTicks + 1;
    if (session.silentTicks === SILENCE_TICKS) {
      const name = quoted(session.name);
      this.show('wait', `Nothing arrives. Waiting for somebody to publish ${name}…`);
    } else if (moving && this.root.dataset.state === 'wait') {
      this.onPlaying(session);
    }
  }
}

// -- The page -------------------------------------------------------------------------------------

const STREAM_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/* The name in the field, or null, and then the field says that it can't be used. */
function readStreamName() {
  const field = $('#stream');
  const name = field.value.trim();
  const usable = STREAM_NAME.test(name);
  field.setAttribute('aria-invalid', String(!usable));
  if (!usable) field.focus();
  return usable ? name : null;
}

function showWatchLink() {
  const name = $('#stream').value.trim();
  const url = new URL(`./?play=${encodeURIComponent(name)}`, document.baseURI);
  $('#watch-link').href = url.href;
  $('#watch-url').textContent = url.href;
  if (STREAM_NAME.test(name)) $('#stream').setAttribute('aria-invalid', 'false');
}

function main() {
  window.rtctcp = {};
  const panels = [new PublishPanel(), new PlayPanel()];
  const asked = new URLSearchParams(location.search);
  const name = asked.get('play') ?? asked.get('publish');
  if (name) $('#stream').value = name;
  document.body.classList.toggle('watching', asked.has('play'));
  $('#stream').oninput = showWatchLink;
  showWatchLink();
  if (asked.has('play')) $('#play').focus({ focusVisible: false });
  window.addEventListener('pagehide', () => panels.forEach((panel) => panel.stop()));
}

if ('document' in globalThis) main();
else setInterval(() => postMessage(null), 1000 / FRAME_RATE);
