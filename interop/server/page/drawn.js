// What is published where there is no camera: a drawn picture and a tone.

export const FRAME_RATE = 30; // [frames/s]

/* A picture that shows time and frame number, with a soft tone and a pip each second. */
export class DrawnMedia {
  constructor(title) {
    this.title = title;
    this.frame = 0;
    this.second = -1;
    this.canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
    this.context = this.canvas.getContext('2d', { alpha: false });
    this.startTone();
    this.draw();
    this.clock = new Worker(new URL('clock.js', import.meta.url));
    this.clock.onmessage = () => this.draw();
    this.clock.postMessage(1000 / FRAME_RATE);
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
