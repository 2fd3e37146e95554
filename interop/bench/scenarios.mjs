// What is measured, one scenario after the other. Each gives what the programs said, unchanged; a
// repetition runs all that is compared with each other close together in time.

/* A stream of frames, and one of single packets: those of the bare loop (rtctcp/bench/bench_limits.c). */
export const STREAMS = {
  frames: { players: 50, packets: 10, rate: 25, size: 1000 },
  single: { players: 200, packets: 1, rate: 125, size: 1000 },
};
export const KINDS = ['rtctcp', 'pion'];
/* A stream for every hundred sessions, each of 25 packets a second: the more sessions, the more packets. */
export const GROWTH = [
  { sessions: 10, publishers: 1, players: 10 },
  { sessions: 100, publishers: 1, players: 100 },
  { sessions: 1000, publishers: 10, players: 100 },
  { sessions: 5000, publishers: 50, players: 100 },
].map((point) => ({ ...point, packets: 10, rate: 2.5 }));
/* The same packets a second in all, one at a time: the more sessions, the fewer for each. */
export const THINNING = GROWTH.map((point) => ({ ...point, packets: 1, rate: 20000 / point.sessions }));
export const GROWTH_LINES = [{ kind: 'rtctcp', workers: 1 }, { kind: 'rtctcp', workers: 2 },
  { kind: 'pion', workers: 1 }];
/* The sweep: streams of ten players, 25 frames of 10 packets a second. */
export const SWEEP = { players: 10, packets: 10, rate: 25, size: 1000 };
const SWEEP_FIRST = 8;
const SWEEP_LAST = 128; // [streams]
const FULL = 0.9; // of a core: no more is asked
const PRESSED = 0.6; // of the server's core
const GENERATOR_MAX = 0.75; // of its core, so that it is not what is measured
const HALF_LOADS = 5; // runs at half load: a tail of one run is often the machine's
const HALF_LOAD_TRIES = 10;
const HALF_BAND = 0.08; // of the server's core, to either side of its half
const SETUPS = 3; // pairs of a bare handshake and a set-up, a repetition
const SETUP_HANDSHAKES = 700;
const PION_BUFFER = 4 << 20; // [octets]

export const PARTS = ['repeated', 'idle', 'parts', 'growth', 'thinning', 'sweep', 'slow'];

export const PLANS = {
  full: { repetitions: 3, takes: 3, take: 3, seconds: 10, churn: 500, idle: 1000, stall: 60, loop: 2 },
  quick: { repetitions: 1, takes: 1, take: 3, seconds: 3, churn: 100, idle: 200, stall: 30, loop: 1 },
};

const phaseOf = (result) => Object.values(result.phases)[0];

/* Of several takes the one that took least CPU: what others add on a shared machine is never less than
 * nothing. */
const costOf = (result) => phaseOf(result)?.server.cpu_us_per_packet ?? Infinity;
const least = (takes, cost = costOf) => takes.reduce((best, take) => (cost(take) < cost(best) ? take : best));
const leastLoop = (takes) => ({
  protect_ns: Math.min(...takes.map(({ protect_ns: each }) => each)),
  paced: least(takes.map(({ paced }) => paced), (way) => way.cpu_ns_per_packet),
  flat_out: least(takes.map(({ flat_out: each }) => each), (way) => way.cpu_ns_per_packet),
});

/* All scenarios on these programs. tell(scenario, line, result): a run has ended. */
export class Scenarios {
  constructor(programs, plan, tell) {
    this.programs = programs;
    this.plan = plan;
    this.tell = tell;
  }

  async load(scenario, kind, mode, options, { workers = 1, writeBuffer = 0 } = {}) {
    const result = await this.programs.withServer(kind, { workers, writeBuffer },
      (server) => this.programs.load(server, mode, options));
    this.tell(scenario, workers > 1 ? `${kind}, ${workers} workers` : kind, result);
    return result;
  }

  /* All in turn, and again: what is compared is never far apart in time. { name: results } */
  async takes(runs) {
    const found = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
    for (let i = 0; i < this.plan.takes; i += 1) {
      for (const [name, run] of Object.entries(runs)) found[name].push(await run());
    }
    return found;
  }

  /* The bare loop, both ways. */
  async loop(name) {
    const { cores } = this.programs;
    const pins = cores.server === null ? []
      : ['--core', `${cores.server}`, '--peer-core', `${cores.load}`];
    const limits = await this.programs.json('bench/bench_limits',
      ['--json', '--work', name, '--seconds', `${this.plan.loop}`, ...pins], { core: null });
    this.tell(`${name}`, 'the bare loop', limits[name]);
    return { protect_ns: limits.protect_ns_per_packet, ...limits[name] };
  }

  /* A stream at its rate, and pressed until the server's core is well filled. */
  async stream(name) {
    const options = { ...STREAMS[name], seconds: this.plan.take };
    const { limit, ...servers } = await this.takes({
      limit: () => this.loop(name),
      rtctcp: () => this.load(name, 'rtctcp', 'fan-out', options),
      workers2: () => this.load(name, 'rtctcp', 'fan-out', options, { workers: 2 }),
      pion: () => this.load(name, 'pion', 'fan-out', options),
    });
    const found = { limit: leastLoop(limit) };
    for (const [kind, takes] of Object.entries(servers)) found[kind] = least(takes);
    const { server, generator } = phaseOf(found.rtctcp);
    const factor = Math.min(PRESSED / server.cpu_share, GENERATOR_MAX / generator.cpu_share);
    const rate = Math.max(Math.floor(STREAMS[name].rate * factor), STREAMS[name].rate);
    const { pressed } = await this.takes({
      pressed: () => this.load(`${name}, pressed`, 'rtctcp', 'fan-out', { ...options, rate }),
    });
    return { ...found, pressed: least(pressed) };
  }

  async churn() {
    const found = { setups: [] };
    for (let i = 0; i < SETUPS; i += 1) found.setups.push(await this.setup());
    for (const kind of KINDS) {
      found[kind] = await this.load('churn', kind, 'churn', { sessions: this.plan.churn });
    }
    return found;
  }

  /* What is compared follows at once: the speed of a machine that is shared changes within minutes. */
  async setup() {
    const limit = await this.programs.json('bench/bench_handshake', ['--json', `${SETUP_HANDSHAKES}`]);
    this.tell('set-up', 'the bare handshake', limit);
    return { limit, opened: await this.opened({ sessions: this.plan.churn, seconds: 1 }) };
  }

  /* The opening alone: these sessions stay. The server has had as many before, for the bare handshake
   * is measured warm, too. */
  async opened(options) {
    const result = await this.programs.withServer('rtctcp', {}, async (server) => {
      await this.programs.load(server, 'idle', options);
      return this.programs.load(server, 'idle', options);
    });
    this.tell('set-up', 'rtctcp', result);
    return result;
  }

  async idle() {
    const found = {};
    for (const kind of KINDS) {
      found[kind] = await this.load('idle', kind, 'idle',
        { sessions: this.plan.idle, seconds: this.plan.seconds });
      found[kind].empty_share = await this.programs.withServer(kind, {},
        (server) => this.programs.idleShare(server, this.plan.seconds));
    }
    return found;
  }

  /* Of the library alone. Its peers are threads of the same process, so it has both cores. */
  async parts() {
    const parts = await this.programs.json('bench/bench_memory', ['--json', `${this.plan.idle}`],
      { core: this.programs.cores.server === null ? null
        : `${this.programs.cores.server},${this.programs.cores.load}` });
    this.tell('memory', 'the library', parts);
    return parts;
  }

  async points(name, steps, line) {
    const points = [];
    for (const { sessions, ...step } of steps) {
      const { taken } = await this.takes({
        taken: () => this.load(`${name}, ${sessions}`, line.kind, 'many',
          { ...step, size: 1000, seconds: this.plan.take }, line),
      });
      points.push({ sessions, result: least(taken) });
    }
    return { ...line, points };
  }

  async growth() {
    const lines = [];
    for (const line of GROWTH_LINES) lines.push(await this.points('growth', GROWTH, line));
    return lines;
  }

  async thinning() {
    const { few, many } = await this.takes({ few: () => this.loop('few'), many: () => this.loop('many') });
    const limit = { few: leastLoop(few), many: leastLoop(many) };
    return { limit, ...await this.points('thinning', THINNING, GROWTH_LINES[0]) };
  }

  sweepPoint(kind, publishers) {
    return this.load(`sweep, ${publishers} streams`, kind, 'many',
      { ...SWEEP, publishers, seconds: this.plan.seconds });
  }

  /* Runs at half load; the streams follow the machine's speed, and a run that was not at half load is
   * not counted, as long as there are others. The one whose p99 is the median is told whole. */
  async halfLoad(kind, first, most) {
    const runs = [];
    const off = ({ result }) => Math.abs(phaseOf(result).server.cpu_share - 0.5);
    const p99 = ({ result }) => phaseOf(result).latency_us.p99;
    const count = () => runs.filter((run) => off(run) <= HALF_BAND).length;
    let streams = first;
    for (let i = 0; i < HALF_LOAD_TRIES && count() < HALF_LOADS; i += 1) {
      const result = await this.sweepPoint(kind, streams);
      if (!phaseOf(result)) continue; /* not all sessions connected */
      runs.push({ streams, result });
      const fitting = Math.round(0.5 * streams / phaseOf(result).server.cpu_share);
      streams = Math.max(Math.min(fitting, most), 1);
    }
    if (runs.length === 0) throw new Error(`${kind}: sessions do not connect at half load`);
    const told = runs.sort((a, b) => off(a) - off(b)).slice(0, HALF_LOADS).sort((a, b) => p99(a) - p99(b));
    return { ...told[told.length >> 1], half: true, p99s: told.map(p99) };
  }

  /* Twice the streams until a core is full or packets are late; then half of what fills the server. */
  async sweep(kind) {
    const points = [];
    for (let streams = SWEEP_FIRST; streams <= SWEEP_LAST; streams *= 2) {
      const result = await this.sweepPoint(kind, streams);
      if (!phaseOf(result)) break; /* not all sessions connected: this is too much */
      const { server, generator, lost, delivered, expected } = phaseOf(result);
      points.push({ streams, result });
      if (server.cpu_share > FULL || generator.cpu_share > FULL || lost > 0 || delivered < expected) break;
    }
    /* The last that did not fill the server's core tells what a stream costs there. */
    const known = points.filter(({ result }) => phaseOf(result).server.cpu_share <= FULL).at(-1) ?? points[0];
    const { server, generator } = phaseOf(known.result);
    const fitting = Math.round(0.5 * known.streams / server.cpu_share);
    const most = Math.floor(GENERATOR_MAX * known.streams / generator.cpu_share);
    const half = await this.halfLoad(kind, Math.max(Math.min(fitting, most), 1), most);
    points.push({ ...half, limitedByLoad: half.streams >= most });
    return points.sort((a, b) => a.streams - b.streams);
  }

  async slow() {
    const found = {};
    const options = { ...STREAMS.frames, slow: 2, seconds: 10, stall: this.plan.stall, recover: 10 };
    for (const kind of KINDS) {
      found[kind] = await this.load('slow readers', kind, 'slow', options, { writeBuffer: PION_BUFFER });
    }
    return found;
  }

  async repeated() {
    const repeated = { frames: [], single: [], churn: [] };
    for (let i = 0; i < this.plan.repetitions; i += 1) {
      repeated.frames.push(await this.stream('frames'));
      repeated.single.push(await this.stream('single'));
      repeated.churn.push(await this.churn());
    }
    return repeated;
  }

  /* One of the parts of a run that can be measured again by themselves. */
  async part(name) {
    const parts = {
      repeated: () => this.repeated(),
      idle: async () => ({ idle: await this.idle() }),
      parts: async () => ({ parts: await this.parts() }),
      growth: async () => ({ growth: await this.growth() }),
      thinning: async () => ({ thinning: await this.thinning() }),
      sweep: async () => ({ sweep: { rtctcp: await this.sweep('rtctcp'), pion: await this.sweep('pion') } }),
      slow: async () => ({ slow: await this.slow() }),
    };
    if (!parts[name]) throw new Error(`there is no ${name} to measure, but ${Object.keys(parts).join(', ')}`);
    return parts[name]();
  }
}
