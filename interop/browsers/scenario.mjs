// One page publishes, another plays: what must then be true in any browser.

import { sleep, until } from './check.mjs';
import { watchFreezes } from './freezes.mjs';
import { request } from './server.mjs';
import { playAndTime, readStats, sampleStats } from './stats.mjs';

const CONNECT_TIMEOUT_MS = 10000;
const FIRST_FRAME_MS = 2000;
const START_UP_MS = 2000; // from the first frame; only then does a freeze count
const WATCHED_S = 10;
const WINDOWS = 4; // watched in turn, while the machine makes the picture freeze
const RELEASE_TIMEOUT_MS = 10000;
const DELETE_MS = 3000; // less than the grace that a lost TCP conn is given

const statusText = (page, role) => page.evaluate((id) => document.querySelector(id).textContent,
  `#${role}-status`);
const panelState = (page, role) => page.evaluate((id) => document.querySelector(id).dataset.state,
  `#${role}-panel`);
const reaches = (page, role, state, timeoutMs) => until(
  async () => (await panelState(page, role)) === state,
  timeoutMs,
);

async function publish(report, page, mimeType) {
  await page.evaluate((value) => { document.querySelector('#codec').value = value; }, mimeType);
  await page.click('#publish');
  const live = await reaches(page, 'publish', 'live', CONNECT_TIMEOUT_MS);
  return report.check(live, 'the page publishes', await statusText(page, 'publish'));
}

async function play(report, page) {
  const ms = await playAndTime(page, CONNECT_TIMEOUT_MS);
  const seen = ms !== null;
  report.check(seen && ms <= FIRST_FRAME_MS, 'the first picture comes within 2 s of the click',
    seen ? `${Math.round(ms)} ms` : `none; ${await statusText(page, 'play')}`);
  return seen;
}

function routeText(pair) {
  if (!pair) return 'no pair is selected';
  const { local, remote } = pair;
  return `${local.protocol} to ${remote.protocol} ${remote.address}:${remote.port}`;
}

/* Nothing but TCP was in play, and it is encrypted as it should be. */
async function checkTransport(report, page, role) {
  const { pair, pairs, remoteCandidates, transport } = await readStats(page, role);
  const tcp = (candidate) => candidate?.protocol === 'tcp';
  report.check(pair && tcp(pair.local) && tcp(pair.remote), `${role}: the selected pair is TCP`,
    routeText(pair));
  report.check(pairs.length > 0 && remoteCandidates.length > 0 && remoteCandidates.every(tcp)
    && pairs.every((each) => tcp(each.local) && tcp(each.remote)),
    `${role}: no UDP candidate is in play`,
    `${remoteCandidates.length} remote, ${pairs.length} pairs`);
  report.check(transport?.dtlsState === 'connected', `${role}: DTLS is connected`,
    `${transport?.dtlsState}`);
  report.check(/^(SRTP_)?AEAD_AES_/.test(transport?.srtpCipher),
    `${role}: SRTP is an AEAD profile`, `${transport?.srtpCipher}`);
}

const growth = (samples, read) => samples.slice(1)
  .map((sample, i) => read(sample.stats) - read(samples[i].stats));

const freezeText = ({ ms, cause }) => `${Math.round(ms)} ms${cause && `, as ${cause}`}`;

/* Watches the player; again, when only the machine is to blame for what froze. */
async function watch(report, parts) {
  for (let turn = 1; ; turn += 1) {
    const { result: samples, freezes } = await watchFreezes(parts,
      () => sampleStats(parts.player, 'player', WATCHED_S));
    const excused = freezes.length > 0 && freezes.every(({ cause }) => cause);
    if (!excused || turn === WINDOWS) return { samples, freezes };
    report.note(`     watched again: the machine stalled: ${freezes.map(freezeText).join('; ')}`);
  }
}

/* Sound and picture arrive, second by second. */
function checkMedia(report, { samples, freezes }, mimeType) {
  const [first, last] = [samples[0].stats, samples.at(-1).stats];
  if (!report.check(first.video && first.audio, 'sound and picture arrive')) return;
  const seconds = Math.round((samples.at(-1).ms - samples[0].ms) / 1000);
  report.check(last.video.codec === mimeType && last.audio.codec === 'audio/opus',
    'the codecs are those asked for', `${last.video.codec}, ${last.audio.codec}`);

  const frames = growth(samples, (stats) => stats.video.framesDecoded);
  report.check(frames.every((count) => count > 0), 'video decodes in every second',
    `${last.video.framesDecoded - first.video.framesDecoded} frames in ${seconds} s `
    + `(${frames.join(' ')}), ${last.video.frameWidth} × ${last.video.frameHeight}`);

  /* A machine that stalled in every window has shown nothing against the server. */
  report.check(freezes.every(({ cause }) => cause), 'the picture does not freeze',
    freezes.map(freezeText).join('; ') || `0 freezes in ${seconds} s`);

  const packets = growth(samples, (stats) => stats.audio.packetsReceived);
  const [before, after] = [first, last].map((stats) => stats.audio.totalAudioEnergy);
  report.check(packets.every((count) => count > 0) && after > before && before >= 0,
    'sound decodes, and is not silence',
    `energy ${before.toPrecision(3)} → ${after.toPrecision(3)}, ${packets.join(' ')} packets`);
}

/* The player's tab goes, the publisher is deleted over HTTP, and nothing of them is left. */
async function checkRelease(report, server, start, publisher, closePlayer) {
  await closePlayer();
  const consumers = await until(async () => (await server.live()).consumers === start.consumers,
    DELETE_MS);
  report.check(consumers, 'a closed tab ends its session at once');

  const location = await publisher.evaluate(() => window.rtctcp.publisherLocation);
  const statuses = [];
  for (let i = 0; i < 2; i += 1) statuses.push((await request('DELETE', location)).status);
  report.check(statuses.join() === '200,404', 'DELETE ends the publisher, once',
    statuses.join(', then '));
  const told = await reaches(publisher, 'publish', 'error', CONNECT_TIMEOUT_MS);
  report.check(told, "the publisher's page says so", await statusText(publisher, 'publish'));

  const difference = await server.difference(start, RELEASE_TIMEOUT_MS);
  report.check(difference === '', 'every live count is back at its start', difference
    || Object.entries(start).map(([name, count]) => `${name} ${count}`).join(', '));
}

/* What the page says when the server refuses. Takes a page that shows the player of a name. */
export async function checkRefusal(report, page) {
  await page.click('#play');
  await reaches(page, 'play', 'error', CONNECT_TIMEOUT_MS);
  const text = await statusText(page, 'play');
  report.check(/^Nobody is publishing/.test(text), 'a missing stream is told in words', text);
}

/* open(path) gives a fresh page at that path; close(page) closes its tab as a person would.
 * start: the server's live counts to come back to. screenshot: a file, or null. */
export async function publishAndPlay({ report, server, start, open, close, mimeType, screenshot }) {
  const name = `interop-${mimeType.split('/')[1].toLowerCase()}`;
  const publisher = await open(`/?publish=${name}`);
  if (!await publish(report, publisher, mimeType)) return;
  const player = await open(`/?play=${name}`);
  if (await play(report, player)) {
    await checkTransport(report, publisher, 'publisher');
    await checkTransport(report, player, 'player');
    await sleep(START_UP_MS);
    checkMedia(report, await watch(report, { server, publisher, player }), mimeType);
    if (screenshot) await player.screenshot({ path: screenshot, fullPage: true });
  }
  await checkRelease(report, server, start, publisher, () => close(player));
  await close(publisher);
}
