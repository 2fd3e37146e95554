// Chromium publishes and plays through rtctcp-server: chrome.mjs SERVER BUILD

import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { Report, within } from './check.mjs';
import { Chrome } from './chromium.mjs';
import { checkRefusal, publishAndPlay } from './scenario.mjs';
import { Server } from './server.mjs';
import { canCode } from './stats.mjs';

const TOTAL_TIMEOUT_MS = 200000;
const STOP_TIMEOUT_MS = 2000;
const CODECS = ['video/VP8', 'video/H264'];

async function runCodecs(report, server, chrome, build) {
  const start = await server.settled();
  const page = await chrome.open('/?play=missing');
  await checkRefusal(report, page);
  for (const mimeType of CODECS) {
    if (!await canCode(page, mimeType)) {
      report.skip(mimeType, 'this Chromium does not code it');
      continue;
    }
    report.note(`-- ${mimeType}`);
    await report.step(`${mimeType} runs to its end`, () => publishAndPlay({
      report,
      server,
      start,
      mimeType,
      open: (url) => chrome.open(url),
      close: (tab) => chrome.close(tab),
      screenshot: mimeType === CODECS[0] ? path.join(build, 'chrome-playing.png') : null,
    }));
  }
}

async function run(report, program, build) {
  const server = await Server.start(path.resolve(program));
  process.on('exit', () => server.kill());
  try {
    const chrome = await Chrome.launch(server.url,
      (message) => report.check(false, 'the page has no script error', message));
    report.note(`Chromium ${chrome.version}, ${server.url}`);
    await within(runCodecs(report, server, chrome, build), TOTAL_TIMEOUT_MS, 'all of it')
      .catch((error) => report.check(false, 'the run comes to its end', error.message));
    await within(chrome.quit(), 5000, 'Chromium closes')
      .catch((error) => report.note(error.message));
    const { code, signal, ms } = await server.terminate(STOP_TIMEOUT_MS);
    report.check(code === 0, 'SIGTERM ends the server with exit 0 within 2 s',
      `${signal ?? `exit ${code}`} after ${ms} ms`);
  } finally {
    if (report.failed > 0 || report.passed === 0) report.note(`-- the server's log\n${server.log}`);
  }
}

async function main() {
  const [program, build] = process.argv.slice(2);
  if (!program || !build) {
    process.stderr.write('usage: chrome.mjs SERVER BUILD\n');
    process.exit(2);
  }
  // Leaving ends what was started: Playwright kills its browser at exit, run() its server.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
  await mkdir(build, { recursive: true });
  const report = new Report();
  await report.step('the run begins', () => run(report, program, build));
  process.exit(report.summary() ? 0 : 1);
}

await main();
