// A DTLS handshake whose TCP conn is cut in the middle goes on, on the next TCP conn.

import { sleep } from './check.mjs';
import { Session } from './session.mjs';

const CONNECT_TIMEOUT_MS = 20000; // a busy machine takes its time

/* Octets of the server after which the first TCP conn is cut. The binding response takes the first
 * 66; the flight with the certificate comes next, about 650; then the one with the Finished, about
 * 80. */
const CUTS = [
  { octets: 66, what: 'after the binding response' },
  { octets: 68, what: "before the server's first flight" },
  { octets: 400, what: "in the server's first flight" },
  { octets: 715, what: "at the end of the server's first flight" },
  { octets: 760, what: "in the server's last flight" },
];

async function checkCut({ report, server, proxy, chrome, name }, { octets, what }) {
  const title = `handshake cut ${what}`;
  const counters = async () => {
    const metrics = await server.metrics();
    return (counter) => metrics.get(`rtctcp_${counter}`);
  };
  const page = await chrome.open(`/?play=${name}`);
  const before = await counters();
  proxy.cutNextAfter(octets);
  const begin = performance.now();
  await page.click('#play');
  const session = new Session(page, 'player', proxy);
  const live = await session.reaches('live', CONNECT_TIMEOUT_MS);
  const ms = Math.round(performance.now() - begin);
  const after = await counters();
  const conns = live ? await session.conns() : [];
  report.check(live, `${title}: it plays`, live
    ? `after ${ms} ms, on TCP conn ${conns.length}` : await session.status());
  report.check(conns.length > 1 && conns[0].closedBy === 'proxy' && conns[0].octetsDown === octets,
    `${title}: the first TCP conn was cut there`, `${conns[0]?.octetsDown} octets`);
  const grown = (counter) => after(counter) - before(counter);
  report.check(grown('handshakes_total') === 1 && grown('connections_total') === 1
    && grown('connection_closes_total') === 0, `${title}: it is one handshake of one session`,
    `${grown('handshakes_total')} of ${grown('connections_total')}`);
  await chrome.close(page);
}

/* name: a stream that is published. */
export async function checkHandshakes(parts) {
  for (const cut of CUTS) {
    await parts.report.step(`handshake cut ${cut.what}`, () => checkCut(parts, cut));
    await sleep(100);
  }
}
