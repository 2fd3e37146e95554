// Finds the freezes of the played picture, and tells which of them the machine has caused.
//
// On a busy machine a frame can be late because somebody got no core in time. Some of that can be
// seen, and is never the server's doing: timers of a page or of this script came late, the camera
// gave no frame, the server was ready to run and had to wait for a core, or the hypervisor took the
// cores away. An encoder that stands still is not among them: it does so too when the server sends
// no feedback.

import { readFileSync } from 'node:fs';

const TICK_MS = 20;
const READ_MS = 100;
const LATE_MS = 30; // beyond its time: a disturbance
const STOLEN_TICKS = 3; // of 10 ms, within READ_MS
const DELAY_MS = 300; // from the camera to the screen, at most
const OWN_MS = 200; // of any freeze: Chrome counts from 150 ms above the usual time of a frame

/* Runs in the page. Spans are { what, from, to } [ms since 1970], freezes have their ms too. */
function startMeter({ role, tickMs, readMs, lateMs }) {
  const now = () => performance.timeOrigin + performance.now();
  const pc = window.rtctcp[role];
  const meter = { spans: [], freezes: [] };
  let [ticked, framed, frames, frozen] = [now(), now(), 0, null];
  let readAt = now();

  const tick = () => {
    const at = now();
    if (at - ticked > tickMs + lateMs) {
      meter.spans.push({ what: `the ${role}'s timers were late`, from: ticked, to: at });
    }
    ticked = at;
  };
  const onCamera = (report, at) => {
    if (report.frames === frames) return;
    if (frames > 0 && at - framed > 2 * readMs + lateMs) {
      meter.spans.push({ what: 'the camera stood still', from: framed, to: at });
    }
    [frames, framed] = [report.frames, at];
  };
  const onPicture = (report, at) => {
    const ms = (report.totalFreezesDuration - (frozen ?? report.totalFreezesDuration)) * 1000;
    if (ms > 0) meter.freezes.push({ ms, from: readAt - ms, to: at });
    frozen = report.totalFreezesDuration;
  };
  const read = async () => {
    const reports = await pc.getStats();
    const at = now();
    for (const report of reports.values()) {
      if (report.kind !== 'video') continue;
      if (report.type === 'media-source') onCamera(report, at);
      if (report.type === 'inbound-rtp') onPicture(report, at);
    }
    readAt = at;
  };

  const timers = [setInterval(tick, tickMs), setInterval(read, readMs)];
  window.stopMeter = async () => {
    timers.forEach(clearInterval);
    tick();
    await read();
    return meter;
  };
  return read();
}

/* The server's threads that waited for a core. stop() gives the spans. */
function startServerMeter(server) {
  const spans = [];
  let before = server.coreWaits();
  const timer = setInterval(() => {
    const at = performance.timeOrigin + performance.now();
    const waits = server.coreWaits();
    for (const [thread, ms] of waits) {
      const waited = ms - (before.get(thread) ?? ms);
      if (waited > LATE_MS) {
        spans.push({ what: 'the server waited for a core', from: at - waited, to: at });
      }
    }
    before = waits;
  }, READ_MS);
  return () => {
    clearInterval(timer);
    return spans;
  };
}

/* Jiffies that the hypervisor has kept from all cores, proc(5). */
const stolenTicks = () => Number(readFileSync('/proc/stat', 'utf8').split(/\s+/, 9)[8]);

/* What this script itself sees of the machine. stop() gives the spans. */
function startMachineMeter() {
  const now = () => performance.timeOrigin + performance.now();
  const spans = [];
  let [ticked, readAt, stolen] = [now(), now(), stolenTicks()];
  const ticker = setInterval(() => {
    const at = now();
    if (at - ticked > TICK_MS + LATE_MS) {
      spans.push({ what: "the test's timers were late", from: ticked, to: at });
    }
    ticked = at;
  }, TICK_MS);
  const reader = setInterval(() => {
    const [at, ticks] = [now(), stolenTicks()];
    if (ticks - stolen >= STOLEN_TICKS) {
      spans.push({ what: 'the hypervisor took cores away', from: readAt, to: at });
    }
    [readAt, stolen] = [at, ticks];
  }, READ_MS);
  return () => {
    clearInterval(ticker);
    clearInterval(reader);
    return spans;
  };
}

/* How much time the spans take together [ms]. */
function covered(spans) {
  let [sum, end] = [0, -Infinity];
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    sum += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return sum;
}

/* What, outside of the server, took as long as the freeze { ms, from, to } did, but for its own
 * part; '' when nothing did. */
export function causeOf(freeze, spans, ownMs = OWN_MS) {
  const near = spans.filter(({ from, to }) => to > freeze.from - DELAY_MS && from < freeze.to);
  if (near.length === 0 || covered(near) < freeze.ms - ownMs) return '';
  const whats = [...new Set(near.map(({ what }) => what))];
  return `${whats.join(', ')} (${Math.round(covered(near))} ms)`;
}

/* Watches while run() runs: { result, spans, freezes }; spans is what the machine has stalled. */
export async function watchMachine({ server, publisher, player }, run) {
  const options = { tickMs: TICK_MS, readMs: READ_MS, lateMs: LATE_MS };
  await publisher.evaluate(startMeter, { role: 'publisher', ...options });
  await player.evaluate(startMeter, { role: 'player', ...options });
  const stopServerMeter = startServerMeter(server);
  const stopMachineMeter = startMachineMeter();
  const result = await run();
  const pages = [publisher, player];
  const [sent, played] = await Promise.all(pages.map((page) => page.evaluate('stopMeter()')));
  const spans = [...sent.spans, ...played.spans, ...stopServerMeter(), ...stopMachineMeter()];
  return { result, spans, freezes: played.freezes };
}

/* Watches while run() runs: { result, freezes }, of which each is { ms, cause }. */
export async function watchFreezes(parts, run) {
  const { result, spans, freezes } = await watchMachine(parts, run);
  const told = freezes.map((freeze) => ({ ms: freeze.ms, cause: causeOf(freeze, spans) }));
  return { result, freezes: told };
}
