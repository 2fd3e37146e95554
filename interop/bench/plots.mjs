// The charts of docs/PERFORMANCE.md: a file's name to its SVG.

import {
  growthAt, growthLine, memoryGroups, over, perPacket, phase, sessionOctets,
} from './figures.mjs';
import { lineChart, panels, stackedBars } from './plot.mjs';
import { GROWTH, GROWTH_LINES } from './scenarios.mjs';

export const NAMES = { rtctcp: 'rtctcp', pion: 'Pion' };
const NAME_LIST = Object.values(NAMES);
const NEARLY_FULL = 80; // [%]

function growthPlot(results) {
  const at100 = growthAt(growthLine(results, 'rtctcp', 1), 100);
  const series = GROWTH_LINES.map(({ kind, workers }) => ({
    name: kind === 'pion' ? NAMES.pion : `${NAMES[kind]}, ${workers} worker${workers > 1 ? 's' : ''}`,
    points: growthLine(results, kind, workers).points
      .map(({ sessions, result }) => [sessions, perPacket(result)])
      .filter(([, value]) => Number.isFinite(value)),
  }));
  return lineChart({
    title: 'CPU a delivered packet, over sessions',
    subtitle: '25 packets/s of 1,000 octets to each player, in frames of ten; the server on one core',
    x: { label: 'players (logarithmic)', log: true, ticks: GROWTH.map(({ sessions }) => sessions) },
    y: { label: 'CPU a packet [µs]' },
    series: series.filter(({ points }) => points.length > 0),
    target: { value: 1.3 * at100, text: '1.3 × rtctcp at 100' },
  });
}

function latencyPlot({ sweep }) {
  const series = Object.keys(NAMES).flatMap((kind, colour) => ['p50', 'p99'].map((which) => ({
    name: `${NAMES[kind]} ${which}`,
    colour,
    dashed: which === 'p50',
    points: sweep[kind].map(({ result }) => phase(result))
      .filter(({ latency_us: latency }) => latency && latency[which] > 0)
      .map(({ delivered, seconds, latency_us: latency }) => [delivered / seconds / 1000, latency[which] / 1000]),
  })));
  return lineChart({
    title: 'Latency against load',
    subtitle: 'from a publisher\'s send to a player\'s read; more and more streams of 250 packets/s to 10 players each',
    x: { label: 'delivered packets a second [thousands]' },
    y: { label: 'latency [ms, logarithmic]', log: true },
    series: series.filter(({ points }) => points.length > 0),
    target: { value: 2, text: '2 ms' },
  });
}

function sweepCpuPlot({ sweep }) {
  const series = Object.keys(NAMES).map((kind) => ({
    name: NAMES[kind],
    points: sweep[kind].map(({ result }) => phase(result))
      .map(({ delivered, seconds, server }) => [delivered / seconds / 1000, 100 * server.cpu_share]),
  }));
  const most = Math.max(...series.flatMap(({ points }) => points.map(([, share]) => share)));
  return lineChart({
    title: 'Load of the server\'s core',
    subtitle: 'the same runs: streams of 25 frames of 10 packets a second, 10 players each',
    x: { label: 'delivered packets a second [thousands]' },
    y: { label: 'share of one core [%]' },
    series,
    target: most > NEARLY_FULL ? { value: 100, text: 'the core is full' } : undefined,
  });
}

function memoryPlot({ parts, idle }) {
  const kib = (octets) => octets / 1024;
  return stackedBars({
    title: 'Memory of an idle, connected session',
    subtitle: 'the library\'s by part; and by RSS of a whole server, HTTP and SDP included',
    x: { label: 'KiB a session' },
    target: { value: 64, text: 'at most 64 KiB' },
    total: (sum) => `${sum.toFixed(1)} KiB`,
    bars: [
      { name: 'rtctcp, the library', parts: memoryGroups(parts).map(({ name, octets }) => ({ name, value: kib(octets) })) },
      ...Object.keys(NAMES).map((kind) => ({
        name: `${NAMES[kind]}, the server`,
        parts: [{ name: 'RSS of the server', value: kib(sessionOctets(idle[kind])) }],
      })),
    ],
  });
}

function pionPlot({ frames, single, churn, idle }) {
  const kinds = Object.keys(NAMES);
  const each = (read) => kinds.map(read);
  return panels({
    title: 'Against Pion',
    subtitle: 'the same work in the same run, each server on one core; less is better',
    names: NAME_LIST,
    panels: [
      { label: 'frames of 10', unit: 'µs CPU a packet', values: each((kind) => over(frames, (r) => perPacket(r[kind]))) },
      { label: 'one at a time', unit: 'µs CPU a packet', values: each((kind) => over(single, (r) => perPacket(r[kind]))) },
      {
        label: 'a session',
        unit: 'ms CPU, begun and ended',
        values: each((kind) => over(churn, (r) => r[kind].setup.server_cpu_us_per_session / 1000)),
      },
      { label: 'idle session', unit: 'KiB RSS', values: each((kind) => sessionOctets(idle[kind]) / 1024) },
    ],
  });
}

/* The load tool tells one p99 for each phase: a level line. */
function slowPlot({ slow }) {
  const stall = slow.rtctcp.slow.stall_s;
  const levels = ({ phases }) => {
    let from = 0;
    return ['before', 'during', 'after'].flatMap((name) => {
      const { seconds, latency_us: latency } = phases[name];
      const points = latency ? [[from, latency.p99 / 1000], [from + seconds, latency.p99 / 1000]] : [];
      from += seconds;
      return points;
    });
  };
  const { seconds } = slow.rtctcp.phases.before;
  return lineChart({
    title: 'Two of 50 players stop reading: p99 latency of the other 48',
    subtitle: `frames of 10 packets, 25 a second; before, during the ${stall} s, and after`,
    x: { label: 'time [s]' },
    y: { label: 'p99 latency [ms, logarithmic]', log: true },
    series: Object.keys(NAMES).map((kind) => ({ name: NAMES[kind], points: levels(slow[kind]), marks: false })),
    band: { from: seconds, to: seconds + slow.rtctcp.phases.during.seconds, text: 'two do not read' },
  });
}

export function drawAll(results) {
  return {
    'performance-growth.svg': growthPlot(results),
    'performance-latency.svg': latencyPlot(results),
    'performance-load.svg': sweepCpuPlot(results),
    'performance-memory.svg': memoryPlot(results),
    'performance-pion.svg': pionPlot(results),
    'performance-slow.svg': slowPlot(results),
  };
}
