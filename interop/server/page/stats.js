// Reads getStats(), and puts it in words.

const CONNECTION_WORDS = {
  new: 'New',
  connecting: 'Connecting',
  connected: 'Connected',
  disconnected: 'Interrupted',
  failed: 'Failed',
  closed: 'Closed',
};

const CODEC_WORDS = { H264: 'H.264', opus: 'Opus' };

function formatCodec(mimeType) {
  const name = mimeType.split('/')[1];
  return CODEC_WORDS[name] ?? name;
}

function formatBitrate(bitsPerSecond) {
  if (bitsPerSecond >= 1e6) return `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
  return `${Math.round(bitsPerSecond / 1e3)} kbit/s`;
}

/* SRTP_AEAD_AES_128_GCM, with or without the first word: AES-128-GCM. */
const formatCipher = (name) => name.replace(/^(SRTP_)?(AEAD_)?/, '').replaceAll('_', '-');

/* Reads getStats() and keeps what the next reading's rates need. */
export class Figures {
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
      codecs: [video, audio].map((stream) => byId(stream?.codecId)?.mimeType)
        .filter(Boolean).map(formatCodec).join(', '),
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
