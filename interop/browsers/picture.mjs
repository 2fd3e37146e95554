// Watches the played picture in its page: when a frame was shown that differs from the one before.

const LONG_MS = 400; // a standstill that is seen as one

/* Runs in the page. A frame that was decoded and shown again is none that moves: what counts is
 * that the drawn pixels are others. Times are [ms since 1970]. */
function startPicture() {
  const video = document.querySelector('#player');
  const canvas = new OffscreenCanvas(160, 90);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const picture = { moved: [performance.timeOrigin + performance.now()] };
  let before = null;
  const look = () => {
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const pixels = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height)
      .data.buffer);
    if (before === null || pixels.some((pixel, i) => pixel !== before[i])) {
      picture.moved.push(performance.timeOrigin + performance.now());
    }
    before = pixels;
    if (window.picture === picture) video.requestVideoFrameCallback(look);
  };
  window.picture = picture;
  video.requestVideoFrameCallback(look);
}

export class Picture {
  static async watch(page) {
    await page.evaluate(startPicture);
    return new Picture(page);
  }

  constructor(page) {
    this.page = page;
  }

  /* The times without a new picture that ended after `since`, each { from, to, ms }; the last one
   * may go on, and ends now. */
  async standstills(since) {
    const { moved, now } = await this.page.evaluate(() => ({
      moved: window.picture.moved,
      now: performance.timeOrigin + performance.now(),
    }));
    const ends = [...moved, now];
    return ends.slice(1).map((to, i) => ({ from: ends[i], to, ms: to - ends[i] }))
      .filter(({ to }) => to > since);
  }

  async longestStandstill(since) {
    const all = await this.standstills(since);
    return all.reduce((longest, each) => (each.ms > longest.ms ? each : longest));
  }

  /* From the first long standstill to the end of the last one: a frame or two may come between. */
  async outage(since) {
    const long = (await this.standstills(since)).filter(({ ms }) => ms > LONG_MS);
    if (long.length === 0) return this.longestStandstill(since);
    const [from, to] = [long[0].from, long.at(-1).to];
    return { from, to, ms: to - from };
  }

  async stop() {
    await this.page.evaluate(() => { window.picture = null; });
  }
}
