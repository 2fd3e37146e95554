// A worker that ticks. A page in the background gets slow timers; its workers' go on.
// Takes the interval [ms] as its one message, and posts null at each tick.

onmessage = ({ data: intervalMs }) => setInterval(() => postMessage(null), intervalMs);
