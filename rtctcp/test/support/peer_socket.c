/* The test peer's TCP conns: connect, RFC 4571 frames in and out, all ways to end. */
#include "support/peer_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_LEN ((size_t)2)

bool peer_conn_open(const RtcPeer *peer, int conn) {
  return conn >= 0 && conn < PEER_CONNS_MAX && peer->conns[conn].fd >= 0;
}

int peer_fd(const RtcPeer *peer, int conn) {
  return peer->conns[conn].fd;
}

void peer_select(RtcPeer *peer, int conn) {
  peer->selected = conn;
}

int peer_selected(const RtcPeer *peer) {
  return peer->selected;
}

/* -- Opening -- */

static bool read_address(const char *text, uint16_t port, struct sockaddr_storage *address,
                         socklen_t *len) {
  memset(address, 0, sizeof *address);
  struct sockaddr_in *v4 = (struct sockaddr_in *)address;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    *len = sizeof *v4;
    return true;
  }
  if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
    return false;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  *len = sizeof *v6;
  return true;
}

int peer_adopt(RtcPeer *peer, int conn, int fd) {
  int flags = fcntl(fd, F_GETFL);
  int on = 1;
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
    return peer_fail(peer, PEER_FAILED, "adopt: %s", strerror(errno));
  peer_close(peer, conn);
  peer->conns[conn].fd = fd;
  return PEER_OK;
}

static int wait_for(int fd, short events, int64_t deadline_ms) {
  for (;;) {
    int64_t left = deadline_ms - peer_clock_ms();
    struct pollfd item = {.fd = fd, .events = events};
    int ready = poll(&item, 1, left > 0 ? (int)left : 0);
    if (ready > 0)
      return PEER_OK;
    if (ready == 0)
      return PEER_TIMEOUT;
    if (errno != EINTR)
      return PEER_FAILED;
  }
}

static int connect_to(RtcPeer *peer, int conn, const struct sockaddr_storage *to,
                      socklen_t to_len) {
  int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return peer_fail(peer, PEER_FAILED, "socket: %s", strerror(errno));
  if (peer->receive_buffer)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &peer->receive_buffer, sizeof peer->receive_buffer);
  if (connect(fd, (const struct sockaddr *)to, to_len) < 0 ||
      peer_adopt(peer, conn, fd) != PEER_OK) {
    int result = peer_fail(peer, PEER_FAILED, "connect: %s", strerror(errno));
    close(fd);
    return result;
  }
  peer->conns[conn].to = *to;
  peer->conns[conn].to_len = to_len;
  return PEER_OK;
}

int peer_connect_conn(RtcPeer *peer, int conn, const char *address, uint16_t port) {
  struct sockaddr_storage to;
  socklen_t to_len;
  if (!read_address(address, port, &to, &to_len))
    return peer_fail(peer, PEER_FAILED, "%s is no address", address);
  return connect_to(peer, conn, &to, to_len);
}

int peer_connect(RtcPeer *peer, const char *address, uint16_t port) {
  peer_select(peer, 0);
  return peer_connect_conn(peer, 0, address, port);
}

int peer_reconnect(RtcPeer *peer, int conn, unsigned flags) {
  struct sockaddr_storage to = peer->conns[conn].to;
  socklen_t to_len = peer->conns[conn].to_len;
  if (!to_len)
    return peer_fail(peer, PEER_FAILED, "conn %d was never connected", conn);
  int result = connect_to(peer, conn, &to, to_len);
  return result == PEER_OK ? peer_bind(peer, conn, flags) : result;
}

/* -- Ending -- */

void peer_close(RtcPeer *peer, int index) {
  PeerConn *conn = &peer->conns[index];
  if (conn->fd >= 0)
    close(conn->fd);
  if (conn->requested)
    stun_agent_forget_transaction(peer->agent, conn->transaction);
  free(conn->input);
  *conn = (PeerConn){.fd = -1, .to = conn->to, .to_len = conn->to_len, .priority = conn->priority};
}

void peer_fin(RtcPeer *peer, int conn) {
  shutdown(peer->conns[conn].fd, SHUT_WR);
}

void peer_rst(RtcPeer *peer, int conn) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(peer->conns[conn].fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  peer_close(peer, conn);
}

void peer_cut_in_after(RtcPeer *peer, int conn, size_t octets) {
  peer->conns[conn].in = (PeerCut){.limited = true, .left = octets};
}

void peer_cut_out_after(RtcPeer *peer, int conn, size_t octets) {
  peer->conns[conn].out = (PeerCut){.limited = true, .left = octets};
}

static int cut(PeerConn *conn) {
  conn->dead = true;
  return conn->ended = PEER_CUT;
}

/* How much of len still goes out. */
static size_t let_out(PeerConn *conn, size_t len) {
  if (conn->dead)
    return 0;
  if (!conn->out.limited)
    return len;
  if (conn->out.left < len) {
    cut(conn);
    len = conn->out.left;
  }
  conn->out.left -= len;
  return len;
}

void peer_sockets_finish(RtcPeer *peer) {
  for (int i = 0; i < PEER_CONNS_MAX; i++)
    peer_close(peer, i);
  while (peer->stash) {
    PeerStash *next = peer->stash->next;
    free(peer->stash);
    peer->stash = next;
  }
  free(peer->taken);
}

/* -- Out -- */

int peer_send_raw(RtcPeer *peer, int conn, const void *data, size_t len) {
  if (!peer_conn_open(peer, conn))
    return peer_fail(peer, PEER_FAILED, "send on conn %d, which is not open", conn);
  int64_t deadline_ms = peer_clock_ms() + PEER_TIMEOUT_MS;
  const uint8_t *octets = data;
  len = let_out(&peer->conns[conn], len);
  while (len) {
    ssize_t sent = send(peer->conns[conn].fd, octets, len, MSG_NOSIGNAL);
    if (sent >= 0) {
      octets += sent;
      len -= (size_t)sent;
      continue;
    }
    if (errno == EPIPE || errno == ECONNRESET)
      return PEER_RESET;
    if (errno != EAGAIN && errno != EINTR)
      return peer_fail(peer, PEER_FAILED, "send: %s", strerror(errno));
    int ready = wait_for(peer->conns[conn].fd, POLLOUT, deadline_ms);
    if (ready != PEER_OK)
      return ready;
  }
  return PEER_OK;
}

int peer_send_frame(RtcPeer *peer, int conn, const void *data, size_t len) {
  if (len > UINT16_MAX)
    return peer_fail(peer, PEER_FAILED, "a frame of %zu octets can't be", len);
  uint8_t *frame = malloc(HEADER_LEN + len);
  if (!frame)
    return PEER_FAILED;
  frame[0] = (uint8_t)(len >> 8);
  frame[1] = (uint8_t)len;
  if (len)
    memcpy(frame + HEADER_LEN, data, len);
  int result = peer_send_raw(peer, conn, frame, HEADER_LEN + len);
  free(frame);
  return result;
}

/* -- In -- */

static size_t frame_need(const PeerConn *conn) {
  if (conn->input_len < HEADER_LEN)
    return HEADER_LEN;
  return HEADER_LEN + ((size_t)conn->input[0] << 8 | conn->input[1]);
}

static bool make_room(PeerConn *conn, size_t need) {
  if (conn->input_cap >= need)
    return true;
  uint8_t *grown = realloc(conn->input, need);
  if (!grown)
    return false;
  conn->input = grown;
  conn->input_cap = need;
  return true;
}

static int read_error(const PeerConn *conn, ssize_t got) {
  if (got == 0)
    return conn->input_len ? PEER_CUT : PEER_EOF;
  return errno == ECONNRESET || errno == EPIPE ? PEER_RESET : PEER_FAILED;
}

/* Reads no more than the frame, so that what is behind it stays in the kernel.
 * PEER_TIMEOUT: it is not whole yet */
static int try_frame(RtcPeer *peer, int index, PeerFrame *frame) {
  PeerConn *conn = &peer->conns[index];
  for (;;) {
    size_t need = frame_need(conn);
    if (conn->input_len >= HEADER_LEN && conn->input_len == need)
      break;
    if (!make_room(conn, need))
      return PEER_FAILED;
    size_t cap = need - conn->input_len;
    if (conn->in.limited && conn->in.left < cap)
      cap = conn->in.left;
    if (cap == 0)
      return cut(conn);
    ssize_t got = recv(conn->fd, conn->input + conn->input_len, cap, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
      return PEER_TIMEOUT;
    if (got <= 0)
      return conn->ended = read_error(conn, got);
    if (conn->in.limited)
      conn->in.left -= (size_t)got;
    conn->input_len += (size_t)got;
  }
  *frame = (PeerFrame){index, conn->input + HEADER_LEN, conn->input_len - HEADER_LEN};
  conn->input_len = 0;
  return PEER_OK;
}

/* One pass over the conns. PEER_TIMEOUT: no whole frame yet; else the last conn's end. */
static int try_conns(RtcPeer *peer, int only, PeerFrame *frame) {
  int result = PEER_FAILED;
  bool open = false;
  for (int i = 0; i < PEER_CONNS_MAX; i++) {
    PeerConn *conn = &peer->conns[i];
    if (conn->fd < 0 || (only != PEER_ANY && only != i))
      continue;
    int got = conn->ended ? conn->ended : try_frame(peer, i, frame);
    if (got == PEER_OK)
      return PEER_OK;
    open = open || got == PEER_TIMEOUT;
    result = got;
  }
  return open ? PEER_TIMEOUT : result;
}

static int wait_conns(RtcPeer *peer, int only, int64_t deadline_ms) {
  struct pollfd items[PEER_CONNS_MAX];
  nfds_t count = 0;
  for (int i = 0; i < PEER_CONNS_MAX; i++) {
    const PeerConn *conn = &peer->conns[i];
    if (conn->fd >= 0 && !conn->ended && (only == PEER_ANY || only == i))
      items[count++] = (struct pollfd){.fd = conn->fd, .events = POLLIN};
  }
  int64_t left = deadline_ms - peer_clock_ms();
  if (left <= 0)
    return PEER_TIMEOUT;
  return poll(items, count, (int)left) < 0 && errno != EINTR ? PEER_FAILED : PEER_OK;
}

static int next_frame(RtcPeer *peer, int only, int64_t deadline_ms, PeerFrame *frame) {
  for (;;) {
    int result = try_conns(peer, only, frame);
    if (result != PEER_TIMEOUT)
      return result;
    result = wait_conns(peer, only, deadline_ms);
    if (result != PEER_OK)
      return result;
  }
}

/* RFC 7983 section 7. */
static PeerKind kind_of(const uint8_t *data, size_t len) {
  if (len && data[0] <= 3)
    return PEER_KIND_STUN;
  if (len && data[0] >= 20 && data[0] <= 63)
    return PEER_KIND_DTLS;
  if (len && data[0] >= 128 && data[0] <= 191)
    return PEER_KIND_MEDIA;
  return PEER_KIND_OTHER;
}

static bool take_stashed(RtcPeer *peer, int only, unsigned kinds, PeerFrame *frame) {
  for (PeerStash **at = &peer->stash; *at; at = &(*at)->next) {
    PeerStash *item = *at;
    if (only != PEER_ANY && item->conn != only)
      continue;
    if (kinds && !(kinds & kind_of(item->data, item->len)))
      continue;
    *at = item->next;
    peer->taken = item;
    *frame = (PeerFrame){item->conn, item->data, item->len};
    return true;
  }
  return false;
}

static int keep(RtcPeer *peer, const PeerFrame *frame) {
  PeerConn *conn = &peer->conns[frame->conn];
  if (!conn->bound)
    conn->early = true;
  PeerStash *item = malloc(sizeof *item + frame->len);
  if (!item)
    return PEER_FAILED;
  item->next = NULL;
  item->conn = frame->conn;
  item->len = frame->len;
  if (frame->len)
    memcpy(item->data, frame->data, frame->len);
  PeerStash **at = &peer->stash;
  while (*at)
    at = &(*at)->next;
  *at = item;
  return PEER_OK;
}

int peer_take(RtcPeer *peer, int conn, unsigned kinds, int64_t deadline_ms, PeerFrame *frame) {
  free(peer->taken);
  peer->taken = NULL;
  if (take_stashed(peer, conn, kinds, frame))
    return PEER_OK;
  for (;;) {
    int result = next_frame(peer, conn, deadline_ms, frame);
    if (result != PEER_OK || !kinds)
      return result;
    PeerKind kind = kind_of(frame->data, frame->len);
    if (kind == PEER_KIND_STUN && peer_stun_answer(peer, frame))
      continue;
    if (kinds & kind)
      return PEER_OK;
    if (kind != PEER_KIND_STUN && keep(peer, frame) != PEER_OK)
      return PEER_FAILED;
  }
}

int peer_receive_frame(RtcPeer *peer, int conn, uint8_t *data, size_t cap, size_t *len,
                       int timeout_ms) {
  PeerFrame frame;
  int result = peer_take(peer, conn, 0, peer_clock_ms() + timeout_ms, &frame);
  if (result != PEER_OK)
    return result;
  if (frame.len > cap)
    return peer_fail(peer, PEER_BAD, "a frame of %zu octets, room for %zu", frame.len, cap);
  if (frame.len)
    memcpy(data, frame.data, frame.len);
  *len = frame.len;
  return PEER_OK;
}

int peer_wait_closed(RtcPeer *peer, int conn, int timeout_ms) {
  int64_t deadline_ms = peer_clock_ms() + timeout_ms;
  for (;;) {
    PeerFrame frame;
    int result = peer_take(peer, conn, PEER_KIND_DTLS | PEER_KIND_MEDIA | PEER_KIND_OTHER,
                           deadline_ms, &frame);
    if (result != PEER_OK)
      return result;
    if (kind_of(frame.data, frame.len) == PEER_KIND_DTLS)
      peer_dtls_feed(peer, &frame);
  }
}
