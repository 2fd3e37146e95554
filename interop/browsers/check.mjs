// Reports checks, one line each, and counts them.

export class Report {
  constructor(write = (line) => process.stdout.write(`${line}\n`)) {
    this.write = write;
    this.passed = 0;
    this.failed = 0;
  }

  check(holds, text, detail = '') {
    this[holds ? 'passed' : 'failed'] += 1;
    this.write(`${holds ? 'ok   ' : 'FAIL '}${text}${detail ? `: ${detail}` : ''}`);
    return holds;
  }

  /* Runs one step; what it throws is a failed check, and the steps after it can go on. */
  async step(text, run) {
    try {
      return await run();
    } catch (error) {
      const [first, ...more] = error.message.trimEnd().split('\n');
      this.check(false, text, first);
      more.forEach((line) => this.note(`     ${line}`));
      return undefined;
    }
  }

  skip(text, reason) {
    this.write(`skip ${text}: ${reason}`);
  }

  note(text) {
    this.write(text);
  }

  /* Prints the last line; true when nothing failed and something passed. */
  summary() {
    this.write(`${this.passed} passed, ${this.failed} failed`);
    return this.failed === 0 && this.passed > 0;
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* Asks until the answer is true-like, and gives that; null when the time is up.
 * An exception counts as "not yet". */
export async function until(ask, timeoutMs, intervalMs = 100) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await Promise.resolve().then(ask).catch(() => null);
    if (answer) return answer;
    if (Date.now() >= deadline) return null;
    await sleep(intervalMs);
  }
}

/* Rejects when the time is up; what was promised goes on, unheard. */
export async function within(promise, timeoutMs, what) {
  let timer;
  const late = new Promise((_, reject) => {
    const error = new Error(`${what}: not within ${timeoutMs / 1000} s`);
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
