// Reads from getStats() how a page of rtctcp-server publishes and plays.
// Of page it takes evaluate() and click() only, which Playwright and Puppeteer have in common.

import { sleep } from './check.mjs';

/* role is 'publisher' or 'player', as in the page's window.rtctcp.
 * { connection, transport, pair, pairs, remoteCandidates, audio, video }: plain copies of
 * the reports; pair and pairs carry their local and remote candidates. */
export function readStats(page, role) {
  return page.evaluate(async (which) => {
    const pc = window.rtctcp[which];
    if (!pc) throw new Error(`there is no ${which}`);
    const reports = [...(await pc.getStats()).values()];
    const ofType = (type) => reports.filter((report) => report.type === type);
    const byId = (id) => reports.find((report) => report.id === id);
    const withCandidates = (pair) => ({
      ...pair,
      local: byId(pair.localCandidateId),
      remote: byId(pair.remoteCandidateId),
    });
    const stream = (kind) => {
      const found = reports.find((report) => report.kind === kind
        && (report.type === 'inbound-rtp' || report.type === 'outbound-rtp'));
      return found ? { ...found, codec: byId(found.codecId)?.mimeType } : null;
    };
    const transport = ofType('transport')[0] ?? null;
    const pairs = ofType('candidate-pair').map(withCandidates);
    return {
      connection: pc.connectionState,
      transport,
      pairs,
      pair: pairs.find((pair) => pair.id === transport?.selectedCandidatePairId)
        ?? pairs.find((pair) => pair.nominated && pair.state === 'succeeded') ?? null,
      remoteCandidates: ofType('remote-candidate'),
      audio: stream('audio'),
      video: stream('video'),
    };
  }, role);
}

/* Reads count + 1 times, an interval apart; { stats, ms } each, ms since the first. */
export async function sampleStats(page, role, count, intervalMs = 1000) {
  const samples = [];
  const begin = performance.now();
  for (let i = 0; i <= count; i += 1) {
    const wait = i * intervalMs - (performance.now() - begin);
    if (wait > 0) await sleep(wait);
    samples.push({ ms: performance.now() - begin, stats: await readStats(page, role) });
  }
  return samples;
}

/* Does this browser send and receive this kind of video ('video/H264')? */
export function canCode(page, mimeType) {
  return page.evaluate((wanted) => [RTCRtpSender, RTCRtpReceiver].every((side) => side
    .getCapabilities('video').codecs.some((codec) => codec.mimeType === wanted)), mimeType);
}

/* Clicks #play, and tells how long the first decoded picture took from the click [ms]. */
export async function playAndTime(page, timeoutMs) {
  await page.evaluate(() => {
    const clicked = new Promise((resolve) => {
      document.querySelector('#play').addEventListener('click', () => resolve(performance.now()),
        { capture: true, once: true });
    });
    const seen = new Promise((resolve) => {
      document.querySelector('#player').requestVideoFrameCallback(resolve);
    });
    window.firstFrame = Promise.all([clicked, seen]).then(([from, to]) => to - from);
  });
  await page.click('#play');
  return page.evaluate((limit) => Promise.race([
    window.firstFrame,
    new Promise((resolve) => setTimeout(() => resolve(null), limit)),
  ]), timeoutMs);
}
