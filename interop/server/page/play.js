// The half that plays.

import { Panel } from './panel.js';
import { $, quoted } from './util.js';

const SILENCE_TICKS = 3; // so many readings without a packet: the publisher has gone

export class PlayPanel extends Panel {
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
