// The half that publishes.

import { openMedia, preferCodec } from './media.js';
import { Panel } from './panel.js';
import { $, quoted } from './util.js';

export class PublishPanel extends Panel {
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
