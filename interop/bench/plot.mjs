// Draws charts as SVG texts that stand alone: on a ground of their own, light or dark as the reader's
// system is.

const WIDTH = 760; // [px]
const MARGIN = { left: 64, right: 24, top: 88, bottom: 56 };
const CHARACTER = 6.6; // mean width of one in 12 px [px]

/* Series take these in their order; the second of each is for dark. */
const COLOURS = [['#2468b4', '#6aa9f2'], ['#d06a1c', '#f0a05a'], ['#2f8f5b', '#63c894'],
  ['#8a4fb0', '#c193e4'], ['#b8455a', '#ee8597'], ['#6b7480', '#a4adb8']];

const STYLE = `
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#3b4149}
.title{font-size:16px;font-weight:600;fill:#14181d}.small{font-size:11px}.strong{font-weight:600;fill:#14181d}
.ground{fill:#fff;stroke:#d5dae0}.grid{stroke:#e6e9ed}.axis{stroke:#8b949e}
.target{stroke:#b8455a;stroke-dasharray:5 4}.target-text{fill:#b8455a}.line{fill:none;stroke-width:2}
.band{fill:#f1f3f6}.dashed{stroke-dasharray:6 4}.halo{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}
${COLOURS.map(([light], i) => `.f${i}{fill:${light}}.l${i}{stroke:${light}}`).join('')}
@media(prefers-color-scheme:dark){text{fill:#b6bec8}.title,.strong{fill:#eef2f6}
.ground{fill:#15191f;stroke:#30363d}.grid{stroke:#272d35}.axis{stroke:#6b7480}
.band{fill:#20262e}.halo{stroke:#15191f}.target{stroke:#ee8597}.target-text{fill:#ee8597}
${COLOURS.map(([, dark], i) => `.f${i}{fill:${dark}}.l${i}{stroke:${dark}}`).join('')}}`;

const escape = (text) => String(text).replace(/[&<>"]/g,
  (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);
const round = (number) => Math.round(number * 10) / 10;
const widthOf = (text) => String(text).length * CHARACTER;

/* 1234.5 as "1,235", 1.234 as "1.23": as many digits as one reads. */
export function short(number) {
  if (number === 0) return '0';
  const digits = Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return Number(number.toFixed(digits)).toLocaleString('en-US');
}

function text(x, y, content, { anchor = 'start', kind = '', turned = false } = {}) {
  const turn = turned ? ` transform="rotate(-90 ${round(x)} ${round(y)})"` : '';
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"`
    + `${kind && ` class="${kind}"`}${turn}>${escape(content)}</text>`;
}

const line = (x1, y1, x2, y2, kind) => `<line x1="${round(x1)}" y1="${round(y1)}" `
  + `x2="${round(x2)}" y2="${round(y2)}" class="${kind}"/>`;

const box = (x, y, width, height, kind, tip) => `<rect x="${round(x)}" y="${round(y)}" `
  + `width="${round(width)}" height="${round(height)}" class="${kind}">`
  + `<title>${escape(tip)}</title></rect>`;

function frame(height, { title, subtitle = '' }, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" `
    + `height="${height}" role="img" aria-label="${escape(title)}">\n<style>${STYLE}</style>\n`
    + `<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8" class="ground"/>\n`
    + `${[text(20, 30, title, { kind: 'title' }), text(20, 50, subtitle), ...parts].join('\n')}\n</svg>\n`;
}

/* A row of names with their colours: [{ name, colour, line, dashed }]. */
function legend(entries, y) {
  const parts = [];
  let x = 20;
  for (const entry of entries) {
    const mark = entry.line ? 22 : 10;
    parts.push(entry.line
      ? line(x, y - 4, x + mark, y - 4, `line l${entry.colour}${entry.dashed ? ' dashed' : ''}`)
      : `<rect x="${round(x)}" y="${y - 9}" width="10" height="10" rx="2" class="f${entry.colour}"/>`,
    text(x + mark + 6, y, entry.name));
    x += mark + 6 + widthOf(entry.name) + 20;
  }
  return parts;
}

const inOrder = (names) => names.map((name, colour) => ({ name, colour }));

/* ---- Scales: a value to a place, and the ticks ---------------------------------------------- */

/* Steps of 1, 2 or 5 from 0, about so many. */
function linearTicks(max, about = 5) {
  const rough = max / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
  const ticks = [];
  for (let i = 0; (i - 1) * step < max; i += 1) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function linear(max, from, to) {
  const ticks = linearTicks(max > 0 ? max : 1);
  const top = ticks.at(-1);
  return { ticks, at: (value) => from + (to - from) * (value / top) };
}

/* Whole decades around the values, with 2 and 5 between few of them; or only what is given as ticks. */
function logarithmic(values, from, to, given) {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(Math.log10);
  const begin = given ? low : Math.floor(low);
  const end = given ? high : Math.max(Math.ceil(high), begin + 1);
  const decades = Array.from({ length: end - begin + 1 }, (_, i) => Number((10 ** (begin + i)).toPrecision(3)));
  const steps = decades.length > 4 ? [1] : [1, 2, 5];
  const ticks = given ?? decades.flatMap((decade) => steps.map((step) => step * decade))
    .filter((tick) => Math.log10(tick) <= end + 1e-9);
  return { ticks, at: (value) => from + (to - from) * ((Math.log10(value) - begin) / (end - begin || 1)) };
}

function valueAxis(scale, left, right, label) {
  const parts = scale.ticks.flatMap((tick) => [
    line(left, scale.at(tick), right, scale.at(tick), tick === 0 ? 'axis' : 'grid'),
    text(left - 8, scale.at(tick) + 4, short(tick), { anchor: 'end', kind: 'small' }),
  ]);
  const [bottom, top] = [scale.at(scale.ticks[0]), scale.at(scale.ticks.at(-1))];
  if (label) parts.push(text(left - 46, (top + bottom) / 2, label, { anchor: 'middle', turned: true }));
  return parts;
}

function targetLine(target, scale, left, right) {
  if (!target) return [];
  const y = scale.at(target.value);
  return [line(left, y, right, y, 'target'),
    text(right, y - 5, target.text, { anchor: 'end', kind: 'small target-text halo' })];
}

/* ---- Lines ----------------------------------------------------------------------------------- */

function bandBetween(band, across, top, bottom) {
  if (!band) return [];
  const [from, to] = [band.from, band.to].map(across.at);
  return [box(from, top, to - from, bottom - top, 'band', band.text),
    text((from + to) / 2, top + 14, band.text, { anchor: 'middle', kind: 'small' })];
}

/* series: [{ name, points: [[x, y], ...], colour, dashed, marks }]; x: { label, log, ticks };
 * y: { label, log }; target: { value, text }, a line to stay below; band: { from, to, text }, a part of x. */
export function lineChart({ title, subtitle, x, y, series, target, band, height = 380 }) {
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right - 12];
  const [top, bottom] = [MARGIN.top, height - MARGIN.bottom];
  const all = series.flatMap(({ points }) => points);
  const xs = all.map(([value]) => value);
  const ys = [...all.map(([, value]) => value), ...(target ? [target.value] : [])];
  const across = x.log ? logarithmic(xs, left + 16, right - 16, x.ticks)
    : linear(Math.max(...xs), left, right);
  const up = y.log ? logarithmic(ys, bottom, top) : linear(Math.max(...all.map(([, value]) => value * 1.05), target?.value ?? 0), bottom, top);

  const drawn = series.map((each, i) => ({ colour: i, line: true, marks: true, ...each }));

  const parts = [...legend(drawn, 72), ...bandBetween(band, across, top, bottom),
    ...valueAxis(up, left, right, y.label), line(left, bottom, right, bottom, 'axis'),
    ...across.ticks.flatMap((tick) => [
      line(across.at(tick), bottom, across.at(tick), bottom + 5, 'axis'),
      text(across.at(tick), bottom + 19, short(tick), { anchor: 'middle', kind: 'small' }),
    ]),
    text((left + right) / 2, height - 16, x.label, { anchor: 'middle' }),
    ...targetLine(target, up, left, right)];
  for (const { name, points, colour, dashed, marks } of drawn) {
    const places = points.map(([px, py]) => [round(across.at(px)), round(up.at(py))]);
    parts.push(`<polyline points="${places.map((place) => place.join(',')).join(' ')}" class="line l${colour}${dashed ? ' dashed' : ''}"/>`);
    if (!marks) continue;
    places.forEach(([px, py], i) => parts.push(`<circle cx="${px}" cy="${py}" r="4" class="f${colour}">`
      + `<title>${escape(`${name}: ${short(points[i][1])} at ${short(points[i][0])}`)}</title></circle>`));
  }
  return frame(height, { title, subtitle }, parts);
}

/* ---- Bars ------------------------------------------------------------------------------------ */

/* One panel of bars, one a name, with their values on top. */
function panel({ label, unit, values, target }, names, left, right, top, bottom) {
  const scale = linear(Math.max(...values.filter(Number.isFinite), target?.value ?? 0, 1e-9) * 1.12, bottom, top);
  const step = (right - left) / values.length;
  const width = Math.min(step * 0.7, 56);
  const parts = [...valueAxis(scale, left, right, ''),
    text((left + right) / 2, bottom + 20, label, { anchor: 'middle', kind: 'strong' }),
    text((left + right) / 2, bottom + 37, unit, { anchor: 'middle', kind: 'small' }),
    ...targetLine(target, scale, left, right)];
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) return;
    const x = left + step * (i + 0.5);
    parts.push(box(x - width / 2, scale.at(value), width, bottom - scale.at(value), `f${i}`,
      `${names[i]}: ${short(value)} ${unit}`),
    text(x, scale.at(value) - 6, short(value), { anchor: 'middle', kind: 'small strong halo' }));
  });
  return parts;
}

/* Panels side by side, each with a scale of its own: [{ label, unit, values, target }], a value for
 * each of names. */
export function panels({ title, subtitle, names, panels: list, height = 340 }) {
  const gap = 56;
  const width = (WIDTH - 20 - gap * list.length - 8) / list.length;
  const parts = legend(inOrder(names), 72);
  list.forEach((each, i) => {
    const left = 20 + gap * (i + 1) - 8 + width * i;
    parts.push(...panel(each, names, left, left + width, MARGIN.top + 8, height - MARGIN.bottom));
  });
  return frame(height, { title, subtitle }, parts);
}

/* Lying bars of parts. bars: [{ name, parts: [{ name, value }] }]; the same part has the same colour
 * in each. total: gives the text behind a bar. */
export function stackedBars({ title, subtitle, x, bars, target, total }) {
  const names = [...new Set(bars.flatMap(({ parts }) => parts.map(({ name }) => name)))];
  const sums = bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0));
  const left = 20 + Math.max(...bars.map(({ name }) => widthOf(name))) + 12;
  const right = WIDTH - MARGIN.right - 90;
  const [top, row, thick] = [MARGIN.top + 12, 52, 30];
  const bottom = top + row * bars.length;
  const scale = linear(Math.max(...sums, target?.value ?? 0), left, right);
  const parts = [...legend(inOrder(names), 72),
    ...scale.ticks.flatMap((tick) => [
      line(scale.at(tick), top, scale.at(tick), bottom, tick === 0 ? 'axis' : 'grid'),
      text(scale.at(tick), bottom + 17, short(tick), { anchor: 'middle', kind: 'small' }),
    ]),
    text((left + right) / 2, bottom + 38, x.label, { anchor: 'middle' })];
  if (target) {
    const at = scale.at(target.value);
    parts.push(line(at, top - 4, at, bottom, 'target'),
      text(at, top - 8, target.text, { anchor: 'middle', kind: 'small target-text halo' }));
  }
  bars.forEach((bar, i) => {
    const y = top + row * i + (row - thick) / 2;
    let sum = 0;
    parts.push(text(left - 10, y + thick / 2 + 4, bar.name, { anchor: 'end', kind: 'strong' }));
    for (const { name, value } of bar.parts) {
      const [from, to] = [scale.at(sum), scale.at(sum + value)];
      parts.push(box(from, y, Math.max(to - from - 1, 0.5), thick, `f${names.indexOf(name)}`,
        `${name}: ${short(value)}`));
      sum += value;
    }
    parts.push(text(scale.at(sum) + 8, y + thick / 2 + 4, total(sum), { kind: 'strong halo' }));
  });
  return frame(bottom + 54, { title, subtitle }, parts);
}
