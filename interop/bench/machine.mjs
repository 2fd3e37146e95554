// What the figures were measured on: the machine, its system, the programs' versions.

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

const said = (command, ...args) => {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : '';
};
const packageVersion = (name) => said('dpkg-query', '-W', '-f', '${Version}', name) || 'unknown';

/* The cores that this process may use: "0-2,5" as [0, 1, 2, 5]. */
export function allowedCores() {
  const [, list] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/* The server's core and the load's; null where there are no two. */
export function chooseCores() {
  const [server, load] = allowedCores();
  return load === undefined ? null : { server, load };
}

/* Moves this process, which only waits, to a core. */
export function moveTo(core) {
  execFileSync('taskset', ['-a', '-c', '-p', `${core}`, `${process.pid}`], { stdio: 'ignore' });
}

export function describeMachine() {
  const pretty = /^PRETTY_NAME="(.*)"/m.exec(readFileSync('/etc/os-release', 'utf8'));
  const commit = said('git', 'rev-parse', '--short', 'HEAD');
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: allowedCores().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    system: pretty?.[1] ?? os.type(),
    virtual: said('systemd-detect-virt') || 'unknown',
    commit: commit && `${commit}${said('git', 'status', '--porcelain', '-uno') ? ', changed' : ''}`,
    versions: {
      OpenSSL: packageVersion('libssl3'),
      libsrtp2: packageVersion('libsrtp2-1'),
      libuv: packageVersion('libuv1'),
      gcc: said('gcc', '-dumpfullversion'),
      Pion: packageVersion('golang-github-pion-webrtc.v3-dev'),
      Go: packageVersion('golang-go').replace(/^2:/, ''),
    },
  };
}
