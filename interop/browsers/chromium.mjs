// Starts Debian's Chromium, and opens and closes its tabs as a person would.

import { chromium } from 'playwright-core';

// Playwright gives each launch a fresh user-data-dir, and removes it.
const LAUNCH = {
  executablePath: process.env.RTC_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  timeout: 30000,
  handleSIGINT: false,
  handleSIGTERM: false,
  handleSIGHUP: false,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
};

export class Chrome {
  /* onPageError is given the message of each script error that a page has. */
  static async launch(baseUrl, onPageError) {
    const chrome = new Chrome();
    chrome.browser = await chromium.launch(LAUNCH);
    chrome.context = await chrome.browser.newContext({
      baseURL: baseUrl,
      viewport: { width: 1280, height: 900 },
    });
    chrome.onPageError = onPageError;
    return chrome;
  }

  get version() {
    return this.browser.version();
  }

  async open(url) {
    const page = await this.openEmpty();
    await page.goto(url);
    return page;
  }

  async openEmpty() {
    const page = await this.context.newPage();
    page.on('pageerror', (error) => this.onPageError(error.message));
    return page;
  }

  /* The page is told before it goes. */
  async close(page) {
    const closed = page.waitForEvent('close');
    await page.close({ runBeforeUnload: true });
    await closed;
  }

  /* The page's process ends, and nothing in it is told; then its tab goes. */
  async crash(page) {
    const crashed = page.waitForEvent('crash');
    const session = await this.context.newCDPSession(page);
    session.send('Page.crash').catch(() => {}); // it answers to nobody
    await crashed;
    await page.close();
  }

  async quit() {
    await this.browser.close();
  }
}
