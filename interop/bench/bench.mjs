// Measures rtctcp-server against limits and peers, and writes what came: bench.mjs [OPTION]...
//   --build DIR        where the programs are (build)
//   --out DIR          where PERFORMANCE.md and its charts go (docs)
//   --quick            a short look
//   --draw RESULTS     measure nothing: write the page of an earlier run
//   --again PARTS      with --draw: measure these of it again (growth,slow), which the page then tells

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { chooseCores, describeMachine, moveTo } from './machine.mjs';
import { drawAll } from './plots.mjs';
import { Programs } from './programs.mjs';
import { describeRun, targetLines, trouble, writeDocument } from './report.mjs';
import { PARTS, PLANS, Scenarios } from './scenarios.mjs';

const NOTES = path.join(path.dirname(fileURLToPath(import.meta.url)), 'notes.md');
const NEEDED = ['rtctcp-server', 'pion-server', 'rtctcp-load', 'bench/bench_limits',
  'bench/bench_handshake', 'bench/bench_memory'];

const { values: options } = parseArgs({
  options: {
    build: { type: 'string', default: 'build' },
    out: { type: 'string', default: 'docs' },
    quick: { type: 'boolean', default: false },
    draw: { type: 'string' },
    again: { type: 'string' },
  },
});

const say = (text) => process.stdout.write(`${text}\n`);

/* earlier: a run, whose other parts are kept. */
async function measure(build, names, earlier) {
  const cores = chooseCores();
  const plan = options.quick ? PLANS.quick : PLANS.full;
  const programs = new Programs(build, cores);
  const missing = NEEDED.filter((program) => !programs.has(program));
  if (missing.length > 0) throw new Error(`${build} has no ${missing.join(', ')}`);
  const machine = describeMachine();
  if (cores) moveTo(cores.load);
  say(`${machine.cpu}, Linux ${machine.kernel}; ${cores
    ? `server on core ${cores.server}, load on core ${cores.load}` : 'one core only: nothing is pinned'}`);

  const begin = performance.now();
  const troubles = (earlier?.troubles ?? []).filter((line) => !names.some((name) => line.startsWith(name)));
  const tell = (scenario, who, result) => {
    say(`${scenario.padEnd(18)}  ${who.padEnd(18)}  ${describeRun(result)}`);
    const said = trouble(result);
    if (said) troubles.push(`${scenario}, ${who}: ${said}`);
  };
  const scenarios = new Scenarios(programs, plan, tell);
  const run = { machine, cores, plan: { ...plan }, results: { ...earlier?.results }, troubles,
    again: earlier ? names : [] };
  for (const name of names) {
    Object.assign(run.results, await scenarios.part(name));
    run.plan.minutes = earlier?.plan.minutes ?? Math.max(Math.round((performance.now() - begin) / 60000), 1);
    keep(build, run); // what has been measured is not lost with what goes wrong later
  }
  return run;
}

function keep(build, run) {
  mkdirSync(path.join(build, 'bench'), { recursive: true });
  writeFileSync(path.join(build, 'bench', 'results.json'), `${JSON.stringify(run, null, 1)}\n`);
}

function write(run, directory) {
  mkdirSync(directory, { recursive: true });
  for (const [name, svg] of Object.entries(drawAll(run.results))) writeFileSync(path.join(directory, name), svg);
  writeFileSync(path.join(directory, 'PERFORMANCE.md'),
    writeDocument({ ...run, notes: readFileSync(NOTES, 'utf8') }));
  say(`\n${targetLines(run.results).join('\n')}\n\nwritten: ${path.join(directory, 'PERFORMANCE.md')}`);
}

const build = path.resolve(options.build);
let run = options.draw && JSON.parse(readFileSync(options.draw, 'utf8'));
if (!run || options.again) {
  run = await measure(build, options.again?.split(',') ?? PARTS, run);
}
write(run, options.out);
