// One half of the page, and the session behind it; publish.js and play.js are the two halves.

import { readStreamName } from './name.js';
import { Restarter, SessionGone } from './restart.js';
import { Session, errorText } from './session.js';
import { Figures } from './stats.js';
import { $ } from './util.js';

const FIGURES_INTERVAL_MS = 1000;

const BADGES = {
  idle: 'Idle',
  busy: 'Connecting',
  live: 'Live',
  wait: 'Waiting',
  reconnecting: 'Reconnecting',
  error: 'Stopped',
};

/* One half of the page: its buttons, its words, and the session behind them. */
export class Panel {
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
    const restarter = new Restarter(session, {
      tell: (reachable) => this.onRestart(session, reachable),
      fail: (error) => this.onLost(session, error),
    });
    pc.onconnectionstatechange = () => {
      restarter.onState(session.connected ? pc.connectionState : 'new'); // nothing to get back yet
      this.onConnection(session, pc.connectionState);
    };
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
    } else if (state === 'disconnected' || (state === 'failed' && session.connected)) {
      this.onRestart(session, true);
    } else if (state === 'failed') {
      this.finish(session, 'error',
        'No TCP connection to the server came about. A firewall or a proxy may be in the way.');
    }
  }

  onRestart(session, reachable) {
    if (session.ended) return;
    this.show('reconnecting', reachable
      ? 'The connection was interrupted. Reconnecting…'
      : 'The server cannot be reached. Trying again…');
  }

  onLost(session, error) {
    if (error instanceof SessionGone) session.resource = null; // there is nothing to DELETE
    this.finish(session, 'error', error instanceof SessionGone
      ? 'The connection was lost and did not come back in time.' : errorText(error));
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
