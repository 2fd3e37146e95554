// Writes docs/PERFORMANCE.md from the results, and what is printed while they come.

import {
  growthLine, halfLoad, memoryParts, over, perPacket, phase, sessionOctets, setups, spread, targetRows,
} from './figures.mjs';
import { short } from './plot.mjs';
import { NAMES } from './plots.mjs';
import { GROWTH, GROWTH_LINES, KINDS } from './scenarios.mjs';

const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %` : '–');
const kib = (octets) => (Number.isFinite(octets) ? (octets / 1024).toFixed(1) : '–');
const us = (value) => (Number.isFinite(value) ? value.toFixed(value < 100 ? 2 : 0) : '–');
const latency = (value) => (value ? (value / 1000).toFixed(2) : '–');

function table(head, rows) {
  const cells = (list) => `| ${list.join(' | ')} |`;
  return [cells(head), cells(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(cells)].join('\n');
}

/* ---- One line a run, while it goes ----------------------------------------------------------- */

function loadLine(result) {
  const { churn } = result.phases;
  if (churn) {
    return `${us(result.setup.server_cpu_us_per_session)} µs CPU a session, `
      + `${short(result.setup.handshakes_per_s)} sessions/s`;
  }
  if (!phase(result)) return `${result.sessions.connected} of ${result.sessions.wanted} sessions connected; NOT OK`;
  const { server, generator, delivered, expected, latency_us: times, late_us_max: late } = phase(result);
  const memory = result.memory?.octets_per_session;
  return [result.mode === 'idle' && `${us(result.setup.server_cpu_us_per_session)} µs CPU to open a session`,
    delivered > 0 && `${us(server.cpu_us_per_packet)} µs CPU a packet`,
    times && `p50 ${latency(times.p50)} ms, p99 ${latency(times.p99)} ms`,
    memory && `${kib(memory)} KiB a session`,
    `server ${percent(server.cpu_share)}, load ${percent(generator.cpu_share)} of a core`,
    late > 20000 && `the load was up to ${latency(late)} ms late`,
    expected !== delivered && `${short(expected - delivered)} of ${short(expected)} not delivered`,
    !result.ok && 'NOT OK'].filter(Boolean).join('; ');
}

/* Any run's result in a line. */
export function describeRun(result) {
  if (result.phases) return loadLine(result);
  if (result.bare_ns) return `${us(result.bare_ns / 1000)} µs CPU each`;
  if (result.rss) return `${kib(result.rss)} KiB a session`;
  return ['paced', 'flat_out'].map((way) => `${us(result[way].cpu_ns_per_packet / 1000)} µs CPU a packet `
    + `${way === 'paced' ? 'at its rate' : 'flat out'}`).join('; ');
}

/* ---- The document ---------------------------------------------------------------------------- */

function targetTable(results) {
  return table(['what', 'to reach', 'measured', ''], targetRows(results)
    .map(({ what, target, figure, reached }) => [what, target, figure, reached ? 'reached' : '**not reached**']));
}

/* The targets as plain text. */
export function targetLines(results) {
  return targetRows(results).map(({ what, target, figure, reached }) => (
    `${reached ? 'ok  ' : 'MISS'}  ${what}\n      ${figure}   (${target})`));
}

function machineTable({ machine, cores, plan, again = [] }) {
  const { versions, ...rest } = machine;
  const rows = [
    ['CPU', `${rest.cpu}, ${rest.cores} cores, ${rest.memoryGiB} GiB`],
    ['kernel', `Linux ${rest.kernel}, ${rest.system}, virtualization: ${rest.virtual}`],
    ['date, revision', `${rest.date}, ${rest.commit || 'unknown'}`],
    ['versions', Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')],
    ['cores', cores ? `server on ${cores.server}, load generator on ${cores.load}` : 'not pinned: there is only one'],
    ['repetitions', `${plan.repetitions}; medians, ratios within a repetition`],
    ...(again.length > 0 ? [['measured again, later', again.join(', ')]] : []),
  ];
  return rows.map(([name, value]) => `- **${name}**: ${value}`).join('\n');
}

function limitTable(results) {
  const line = (name, repetitions, pick) => {
    const each = repetitions.map((repetition) => pick(repetition));
    const { median, min, max } = spread(each);
    return [name, us(median), `${us(min)} to ${us(max)}`];
  };
  const stream = (text, repetitions) => [
    line(`${text}: the bare loop flat out`, repetitions, ({ limit }) => limit.flat_out.cpu_ns_per_packet / 1000),
    line(`${text}: the bare loop at the stream's pace`, repetitions, ({ limit }) => limit.paced.cpu_ns_per_packet / 1000),
    line(`${text}: rtctcp at the stream's pace`, repetitions, ({ rtctcp }) => perPacket(rtctcp)),
    line(`${text}: rtctcp pressed`, repetitions, ({ pressed }) => perPacket(pressed)),
  ];
  return table(['CPU', 'median [µs]', 'least to most'], [
    line('a packet: copy, protect and frame alone', results.frames, ({ limit }) => limit.protect_ns / 1000),
    ...stream('a packet, frames of 10 to 50 receivers', results.frames),
    ...stream('a packet, one at a time to 200 receivers', results.single),
    line('a handshake: bare OpenSSL', setups(results.churn), ({ limit }) => limit.bare_ns / 1000),
    line('a handshake: the library\'s DTLS alone', setups(results.churn), ({ limit }) => limit.library_ns / 1000),
    line('a session, begun: rtctcp', setups(results.churn), ({ opened }) => opened.setup.server_cpu_us_per_session),
    line('a session, begun and ended: rtctcp', results.churn, ({ rtctcp }) => rtctcp.setup.server_cpu_us_per_session),
  ]);
}

function peerTable(results) {
  const compare = (what, read) => {
    const [ours, theirs] = KINDS.map(read);
    return [what, us(ours), us(theirs), ours > 0 ? `${(theirs / ours).toFixed(1)} ×` : '–'];
  };
  const packet = (repetitions) => (kind) => over(repetitions, (each) => perPacket(each[kind]));
  const p99 = (repetitions) => (kind) => over(repetitions, (each) => (phase(each[kind]).latency_us?.p99 ?? NaN) / 1000);
  return table(['', 'rtctcp', 'Pion', 'Pion / rtctcp'], [
    compare('CPU a packet, frames of 10 to 50 [µs]', packet(results.frames)),
    compare('CPU a packet, one at a time to 200 [µs]', packet(results.single)),
    compare('p99 latency, frames of 10 to 50 [ms]', p99(results.frames)),
    compare('p99 latency, one at a time to 200 [ms]', p99(results.single)),
    compare('CPU a session, begun and ended [µs]',
      (kind) => over(results.churn, (each) => each[kind].setup.server_cpu_us_per_session)),
    compare('RSS an idle session [KiB]', (kind) => sessionOctets(results.idle[kind]) / 1024),
    compare('share of a core, idle sessions [%]', (kind) => phase(results.idle[kind]).server.cpu_share * 100),
    compare('share of a core, no session [%]', (kind) => results.idle[kind].empty_share * 100),
  ]);
}

function growthTable(results) {
  const lines = GROWTH_LINES.map(({ kind, workers }) => growthLine(results, kind, workers));
  const names = GROWTH_LINES.map(({ kind, workers }) => (kind === 'pion' ? NAMES.pion : `${workers} worker${workers > 1 ? 's' : ''}`));
  const cell = (point) => {
    if (!phase(point.result)) return 'not all connected';
    const { server, expected, delivered } = phase(point.result);
    const missing = expected - delivered;
    return `${us(server.cpu_us_per_packet)} (${percent(server.cpu_share)})${missing > 0 ? `, ${percent(missing / expected)} not delivered` : ''}`;
  };
  return table(['players', 'streams', ...names], GROWTH.map(({ sessions, publishers }, i) => [
    short(sessions), publishers, ...lines.map(({ points }) => cell(points[i]))]));
}

function thinningTable({ thinning }) {
  const loops = { 100: thinning.limit.few, 5000: thinning.limit.many };
  const loop = (sessions, way) => (loops[sessions] ? us(loops[sessions][way].cpu_ns_per_packet / 1000) : '–');
  return table(['players', 'packets/s to each', 'CPU a packet [µs]', 'server', 'the bare loop', 'flat out'],
    thinning.points.map(({ sessions, result }) => {
      const { server } = phase(result);
      return [short(sessions), short(result.options.rate), us(server.cpu_us_per_packet), percent(server.cpu_share),
        loop(sessions, 'paced'), loop(sessions, 'flat_out')];
    }));
}

function sweepTable({ sweep }) {
  const rows = KINDS.flatMap((kind) => sweep[kind].map(({ streams, half, result }) => {
    const { delivered, expected, seconds, latency_us: times, server, generator } = phase(result);
    return [`${NAMES[kind]}, ${streams} streams${half ? ' (half load)' : ''}`, short(delivered / seconds),
      us(server.cpu_us_per_packet), latency(times?.p50), latency(times?.p99), latency(times?.max),
      percent(server.cpu_share), percent(generator.cpu_share), percent((expected - delivered) / expected)];
  }));
  return table(['', 'packets/s', 'CPU a packet [µs]', 'p50 [ms]', 'p99 [ms]', 'max [ms]', 'server', 'load',
    'not delivered'], rows);
}

function slowTable({ slow }) {
  return table(['', 'p99 before [ms]', 'during', 'after', 'others lost', 'RSS [KiB]', 'picture after [ms]', 'its age [ms]'],
    KINDS.map((kind) => {
      const { phases, slow: told } = slow[kind];
      const lost = ['before', 'during', 'after'].reduce((sum, name) => sum + phases[name].expected - phases[name].delivered, 0);
      return [NAMES[kind], ...['before', 'during', 'after'].map((name) => latency(phases[name].latency_us?.p99)),
        short(lost), `+ ${kib(told.rss_growth)}`, told.picture_after_ms === null ? 'none' : told.picture_after_ms.toFixed(0), told.picture_age_ms?.toFixed(0) ?? '–'];
    }));
}

function memoryTable({ parts, idle }) {
  return table(['part', 'KiB a session'], [
    ...memoryParts(parts).map(({ name, octets }) => [name, kib(octets)]),
    ['RSS a session, the library (`rtctcp/bench/bench_memory.c`)', kib(parts.rss)],
    ['RSS a session, rtctcp-server', kib(sessionOctets(idle.rtctcp))],
    ['RSS a session, Pion', kib(sessionOctets(idle.pion))],
  ]);
}

/* What a run that was not all well has to say; '' if it was. */
export function trouble(result) {
  if (result.ok !== false) return '';
  const { connected, wanted, lost } = result.sessions ?? {};
  const missing = Object.values(result.phases).reduce((sum, { expected, delivered }) => sum + expected - delivered, 0);
  return [wanted !== connected && `${connected} of ${wanted} sessions connected`, lost > 0 && `${lost} sessions lost`,
    missing > 0 && `${short(missing)} packets not delivered`,
    ...result.errors.slice(0, 3).map(({ what, count }) => `${count} × ${what}`)].filter(Boolean).join('; ') || 'not ok';
}

function troubleSection(troubles) {
  if (troubles.length === 0) return '';
  return `\n## Runs that were not all well\n\n${troubles.map((line) => `- ${line}`).join('\n')}\n`;
}

/* notes: Markdown that was written by hand; troubles: lines. */
export function writeDocument({ machine, cores, plan, results, troubles, again, notes }) {
  const half = halfLoad(results.sweep.rtctcp);
  return `# Performance

\`make bench\` wrote this page and its charts, from one run on one machine; its notes are of
[interop/bench/notes.md](../interop/bench/notes.md). Packets are RTP of 1,000 octets, SRTP is AEAD_AES_128_GCM, all
goes over loopback TCP, and the server has one worker where nothing else is said.

${machineTable({ machine, cores, plan, again })}

## What was to be reached

${targetTable(results)}
${troubleSection(troubles)}
## What is counted

- **CPU a delivered packet** is the server process's user and system time (of \`/proc/PID/stat\` and its threads'
  \`schedstat\` what says more) over the time that is measured, divided by the packets that the players got and opened. It has everything in it: reading the publisher,
  RTCP, STUN, timers, and the kernel's TCP, of which loopback does the receiver's half, too, in the sender's time.
  What the server needs with idle sessions or with none is not taken off; it is in the table of peers.
- **Takes**: a stream is measured ${plan.takes === 1 ? 'once' : `${plan.takes} times`}, ${plan.take} s each, in turn with what it is compared with, and so is each
  point of growth. The take that took least CPU counts, the bare loop's and Pion's as well, for what others add on
  a shared machine is never less than nothing.
- **CPU a session** is the same over sessions that are opened (HTTP, SDP, ICE, DTLS) by a server that has had as many
  before, and, where it is said, ended (DELETE).
- **Memory a session** is the growth of RSS from few sessions to many, divided by their number.
- **Latency** is from before a publisher's frame is protected to after a player's packet is opened, in the load
  generator: its own work and its waiting for its core are in it. Several publishers' frames are spread evenly over a frame's
  time.
- **The bare loop** (\`rtctcp/bench/bench_limits.c\`) protects, copies, frames and sends the same packets with one send
  call a receiver, and does nothing else. *Flat out* its caches are warm, and the process that reads hardly ever
  sleeps; *at the stream's pace* each frame begins cold and wakes its reader, which costs a multiple. A server
  that sends 25 frames a second is compared with a loop that does; pressed to most of its core, with the loop flat
  out. The first is the limit at that load, the second is the limit of the machine; a server that falls behind sends more
  with one call than the loop does, so a p99 far above the stream's own would make the second one worthless.
- Logs are at \`warn\`.

## Against the limits

${limitTable(results)}

## Against Pion

![Against Pion](performance-pion.svg)

${peerTable(results)}

The Pion server ([interop/peers/pion](../interop/peers/pion)) does the same: WHIP and WHEP, passive ICE-TCP on one port,
ICE-lite, AES-GCM, a fan-out as in Pion's own broadcast example, without NACK buffers. Its TCP mux has no write
buffer, which costs least; for the slow readers it has one of 4 MiB, for without it one slow reader stops all.

## Growth

![CPU a packet over sessions](performance-growth.svg)

CPU a packet [µs], and the share of the server's core. Each player gets 25 packets a second, in frames of ten, so that
the more players there are, the more packets.

${growthTable(results)}

The same 20,000 packets a second in all, one at a time to one worker: the more players, the fewer for each, and the more
of the CPU is what a session costs beside its packets (its reports, its checks, its cold memory). The bare loop has
none of the first two.

${thinningTable(results)}

## Latency against load

![Latency against load](performance-latency.svg)

![Load of the server's core](performance-load.svg)

${sweepTable(results)}

Half load is half of what fills the server's core, reckoned from the run before, for the speed of a machine that
is shared changes; of the ${half.p99s.length} runs nearest to it the one with the median p99 is told${half.limitedByLoad
    ? '; here it is less, for the load generator\'s own core would be full' : ''}.

## Slow readers

![Slow readers](performance-slow.svg)

${slowTable(results)}

## Memory

![Memory of a session by part](performance-memory.svg)

${memoryTable(results)}

${notes.trim()}

## Do it again

\`\`\`sh
make bench         # about ${plan.minutes} minutes on a quiet machine with two cores; installs what is missing
make bench-quick   # a short look, in build/bench only
\`\`\`

\`build/bench/results.json\` keeps what every run said; \`node interop/bench/bench.mjs --draw build/bench/results.json\`
writes the page from it again. \`build/rtctcp-load --help\` tells how to measure any other WHIP/WHEP server.
`;
}
