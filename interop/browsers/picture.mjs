// Watches the played picture in its page: when a frame was shown that differs from the one before.

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

  /* The longest time without a new picture that ended after `since`: { from, to, ms }; one that
   * goes on still ends now. */
  async longestStandstill(since) {
    const { moved, now } = await this.page.evaluate(() => ({
      moved: window.picture.moved,
      now: performance.timeOrigin + performance.now(),
    }));
    const ends = [...moved, now];
    let longest = { ms: 0, from: now, to: now };
    for (let i = 1; i < ends.length; i += 1) {
      const [from, to] = [ends[i - 1], ends[i]];
      if (to > since && to - from > longest.ms) longest = { from, to, ms: to - from };
    }
    return longest;
  }

  async stop() {
    await this.page.evaluate(() => { window.picture = null; });
  }
}
