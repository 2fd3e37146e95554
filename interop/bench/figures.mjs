// The numbers that are read off the results: medians, ratios within a repetition, and what each row of
// the table of targets comes to.

/* undefined: not all sessions connected, and nothing was measured */
export const phase = (result, name) => (name ? result.phases[name] : Object.values(result.phases)[0]);
export const perPacket = (result, name) => phase(result, name)?.server.cpu_us_per_packet ?? NaN;

export function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/* The least and the greatest beside the median. */
export function spread(values) {
  const known = values.filter(Number.isFinite);
  return { median: median(known), min: Math.min(...known), max: Math.max(...known) };
}

/* The median over the repetitions of what read gives for each. */
export const over = (repetitions, read) => median(repetitions.map(read));

export const growthLine = (results, kind, workers) => results.growth
  .find((line) => line.kind === kind && line.workers === workers);
export const growthAt = (line, sessions) => {
  const point = line.points.find((each) => each.sessions === sessions);
  return point ? perPacket(point.result) : NaN;
};
export const halfLoad = (points) => points.find(({ half }) => half);
export const sessionOctets = (result) => result.memory.octets_per_session;

/* What bench_memory tells, a session [octets]. */
const PARTS = {
  dtls: 'DTLS',
  srtp: 'SRTP, without its streams',
  connection: 'RtcConnection',
  tcp_conn: 'RtcTcpConn',
  uv_handles: 'libuv\'s handles: a poll, a timer',
  heap_rest: 'executor, registry, ids, ICE, SRTP\'s streams',
  stack: 'pages of the coroutine\'s stack',
  malloc_free: 'free, but held by malloc; the rest',
};
export const memoryParts = (told) => Object.entries(PARTS)
  .map(([key, name]) => ({ name, octets: told[key] }));
/* The same in as many parts as one can tell apart in a chart. */
export const memoryGroups = (told) => [
  { name: 'DTLS', octets: told.dtls },
  { name: 'SRTP', octets: told.srtp },
  { name: 'Connection and TCP conn', octets: told.connection + told.tcp_conn },
  { name: 'coroutine stack', octets: told.stack },
  { name: 'the rest', octets: told.uv_handles + told.heap_rest + told.malloc_free },
];

const us = (value) => `${value.toFixed(value < 10 ? 2 : 1)} µs`;
const times = (value) => `${value.toFixed(2)} ×`;
const ms = (value) => `${(value / 1000).toFixed(2)} ms`;
const kib = (octets) => `${(octets / 1024).toFixed(1)} KiB`;

/* A row: what, target, figure (text), value and limit (to be compared), least: the value is to be at
 * least the limit, and not at most. */
const row = (what, target, figure, value, limit, least = false) => ({
  what, target, figure, value, limit, reached: least ? value >= limit : value <= limit,
});

function streamRows(what, repetitions, limitText) {
  const cpu = over(repetitions, ({ rtctcp }) => perPacket(rtctcp));
  const paced = over(repetitions, ({ limit }) => limit.paced.cpu_ns_per_packet / 1000);
  const ratio = over(repetitions, ({ rtctcp, limit }) => perPacket(rtctcp)
    / (limit.paced.cpu_ns_per_packet / 1000));
  const pressed = over(repetitions, (each) => perPacket(each.pressed));
  const flatOut = over(repetitions, ({ limit }) => limit.flat_out.cpu_ns_per_packet / 1000);
  const pressedRatio = over(repetitions, (each) => perPacket(each.pressed)
    / (each.limit.flat_out.cpu_ns_per_packet / 1000));
  const rate = over(repetitions, (each) => each.pressed.options.rate);
  const p99 = over(repetitions, (each) => phase(each.pressed).latency_us?.p99 ?? NaN);
  return [
    row(`CPU a delivered packet, ${what}`, `≤ 1.5 × ${limitText} at the same pace`,
      `${us(cpu)}, ${times(ratio)} ${us(paced)}`, ratio, 1.5),
    row(`the same, pressed to ${Math.round(rate)} frames/s`, `≤ 1.5 × ${limitText} flat out`,
      `${us(pressed)}, ${times(pressedRatio)} ${us(flatOut)}; p99 ${ms(p99)}`, pressedRatio, 1.5),
  ];
}

/* Pairs of a bare handshake and a whole set-up. */
export const setups = (repetitions) => repetitions.flatMap((each) => each.setups);

function churnRow(repetitions) {
  const pairs = setups(repetitions);
  const cost = over(pairs, ({ opened }) => opened.setup.server_cpu_us_per_session);
  const bare = over(pairs, ({ limit }) => limit.bare_ns / 1000);
  const ratio = over(pairs, ({ opened, limit }) => opened.setup.server_cpu_us_per_session
    / (limit.bare_ns / 1000));
  return row('CPU a whole session set-up: HTTP, SDP, ICE, DTLS', '≤ 1.4 × the bare OpenSSL handshake',
    `${us(cost)}, ${times(ratio)} ${us(bare)}`, ratio, 1.4);
}

function workersRow({ frames, single }) {
  const ratios = [frames, single].map((repetitions) => over(repetitions,
    ({ rtctcp, workers2 }) => perPacket(workers2) / perPacket(rtctcp)));
  return row('two workers / one, CPU a packet', '≤ 1.15 ×',
    `${times(ratios[0])} in frames, ${times(ratios[1])} one packet at a time`, Math.max(...ratios), 1.15);
}

function slowRows({ rtctcp }) {
  const { before, during, after } = rtctcp.phases;
  const { stall_s: stall, picture_after_ms: comes, picture_age_ms: age, rss_growth: growth } = rtctcp.slow;
  const ratio = during.latency_us.p99 / before.latency_us.p99;
  const lost = before.lost + during.lost + after.lost;
  const picture = comes === null ? Infinity : Math.max(comes, age) / 1000;
  const what = `2 of 50 stop reading for ${stall} s`;
  return [
    row(`${what}: the others' loss`, 'none', `${lost} packets`, lost, 0),
    row(`${what}: the others' p99`, '≤ 1.2 × before',
      `${ms(during.latency_us.p99)}, ${times(ratio)} ${ms(before.latency_us.p99)}`, ratio, 1.2),
    row(`${what}: RSS`, '≤ + 2 MiB', `+ ${kib(growth)}`, growth, 2 * 2 ** 20),
    row('they read again: a picture less than 2 s old', 'within 2 s', comes === null ? 'none came'
      : `after ${(comes / 1000).toFixed(2)} s, ${(age / 1000).toFixed(2)} s old`, picture, 2),
  ];
}

function halfLoadRow(points) {
  const { result, p99s, streams, limitedByLoad } = halfLoad(points);
  const { latency_us: latency, server } = phase(result);
  const load = `${streams} streams to 10 players each, ${Math.round(server.cpu_share * 100)} % of the server's core`;
  return row(`added latency at half load, p99, median of ${p99s.length} runs`, '< 2 ms',
    `${ms(latency.p99)} (${ms(p99s[0])} to ${ms(p99s.at(-1))}) at ${load}${limitedByLoad ? '; the load generator can do no more' : ''}`,
    latency.p99 / 1000, 2);
}

function pionRows(results) {
  const ratio = (repetitions) => over(repetitions, ({ rtctcp, pion }) => perPacket(pion) / perPacket(rtctcp));
  const frames = ratio(results.frames);
  const single = ratio(results.single);
  const memory = sessionOctets(results.idle.pion) / sessionOctets(results.idle.rtctcp);
  return [
    row('against Pion: CPU a delivered packet, frames of 10 packets', '≥ 4 × less', times(frames), frames, 4, true),
    row('against Pion: CPU a delivered packet, one packet at a time', '≥ 4 × less', times(single), single, 4, true),
    row('against Pion: memory a session', '≥ 4 × less', times(memory), memory, 4, true),
  ];
}

/* Every row of the table of targets. */
export function targetRows(results) {
  const memory = sessionOctets(results.idle.rtctcp);
  const line = growthLine(results, 'rtctcp', 1);
  const growth = growthAt(line, 5000) / growthAt(line, 100);
  const { thinning } = results;
  const thin = growthAt(thinning, 5000) / growthAt(thinning, 100);
  const bareThin = ['paced', 'flat_out'].map((way) => thinning.limit.many[way].cpu_ns_per_packet
    / thinning.limit.few[way].cpu_ns_per_packet);
  return [
    ...streamRows('frames of 10 packets, 50 receivers', results.frames, 'the bare loop'),
    ...streamRows('one packet at a time, 125 a second, 200 receivers', results.single,
      'one protect + one send call'),
    churnRow(results.churn),
    row('memory of an idle, connected session', '≤ 64 KiB of RSS, 40 the aim', kib(memory), memory, 65536),
    row('growth: CPU a packet at 5,000 sessions / at 100', '≤ 1.3',
      `${times(growth)} (${us(growthAt(line, 5000))} / ${us(growthAt(line, 100))}), 25 packets/s each`, growth, 1.3),
    row('the same, of 4 packets/s each to 5,000 and 200 to 100', '≤ 1.3',
      `${times(thin)} (${us(growthAt(thinning, 5000))} / ${us(growthAt(thinning, 100))}); the bare loop itself: ${
        times(bareThin[0])}, flat out ${times(bareThin[1])}`, thin, 1.3),
    workersRow(results),
    ...slowRows(results.slow),
    halfLoadRow(results.sweep.rtctcp),
    ...pionRows(results),
  ];
}
