/* The peers of bench_memory, in a process of their own: they connect, and then are silent. */
#include "bench/memory_peers.h"

#include "support/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOPBACK "127.0.0.1"

typedef struct Request {
  size_t count;
  uint16_t port;
} Request;

void memory_require(bool ok, const char *what) {
  if (ok)
    return;
  fprintf(stderr, "bench_memory: %s failed\n", what);
  exit(1);
}

static bool send_all(int fd, const void *data, size_t len) {
  return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool receive_all(int fd, void *data, size_t len) {
  return recv(fd, data, len, MSG_WAITALL) == (ssize_t)len;
}

/* -- Of the peers' process -- */

static void exchange(RtcPeer *peer, int fd) {
  RtcSdpTransport offer, answer;
  peer_local_transport(peer, &offer);
  memory_require(send_all(fd, &offer, sizeof offer) && receive_all(fd, &answer, sizeof answer) &&
                     peer_set_remote(peer, &answer) == PEER_OK,
                 "an answer");
}

/* The first packet shows the server that its last flight has come: an empty receiver report. */
static void send_report(RtcPeer *peer) {
  const uint8_t report[] = {0x80, 201, 0, 1, 0, 0, 0, 1};
  memory_require(peer_send_rtcp(peer, report, sizeof report) == PEER_OK, "a report");
}

static void connect_all(RtcPeer **peers, const Request *request) {
  size_t left = request->count;
  for (size_t i = 0; i < request->count; i++)
    memory_require(peer_connect(peers[i], LOOPBACK, request->port) == PEER_OK &&
                       peer_bind(peers[i], 0, PEER_USE_CANDIDATE) == 0,
                   "a TCP conn");
  while (left > 0) {
    for (size_t i = 0; i < request->count; i++) {
      if (peer_connected(peers[i]))
        continue;
      memory_require(peer_handshake_step(peers[i], PEER_TIMEOUT_MS) == PEER_OK, "a handshake");
      left -= peer_connected(peers[i]);
    }
  }
  for (size_t i = 0; i < request->count; i++)
    send_report(peers[i]);
}

/* The peers are never freed: the process's end does that. */
static void run_peers(int fd) {
  Request request;
  while (receive_all(fd, &request, sizeof request)) {
    RtcPeer **peers = calloc(request.count, sizeof(RtcPeer *));
    memory_require(peers, "memory");
    for (size_t i = 0; i < request.count; i++) {
      peers[i] = peer_new(NULL);
      memory_require(peers[i], "a peer");
      exchange(peers[i], fd);
    }
    connect_all(peers, &request);
    free(peers);
    memory_require(send_all(fd, &request.count, sizeof request.count), "the last word");
  }
}

/* -- Of the server's -- */

void memory_peers_start(MemoryPeers *peers) {
  int ends[2];
  memory_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a socket pair");
  peers->pid = fork();
  memory_require(peers->pid >= 0, "a fork");
  if (peers->pid == 0) {
    close(ends[0]);
    run_peers(ends[1]);
    _exit(0);
  }
  close(ends[1]);
  peers->fd = ends[0];
}

void memory_peers_open(const MemoryPeers *peers, size_t count, uint16_t port,
                       void (*answer)(const RtcSdpTransport *offer, RtcSdpTransport *answer)) {
  const Request request = {.count = count, .port = port};
  size_t connected = 0;
  memory_require(send_all(peers->fd, &request, sizeof request), "a request");
  for (size_t i = 0; i < count; i++) {
    static RtcSdpTransport theirs, ours;
    memory_require(receive_all(peers->fd, &theirs, sizeof theirs), "an offer");
    answer(&theirs, &ours);
    memory_require(send_all(peers->fd, &ours, sizeof ours), "an answer");
  }
  memory_require(receive_all(peers->fd, &connected, sizeof connected) && connected == count,
                 "a connect");
}

void memory_peers_stop(MemoryPeers *peers) {
  close(peers->fd);
  waitpid(peers->pid, NULL, 0);
}
