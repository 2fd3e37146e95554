/* The peers' ends of the TCP conns: real sockets that never block. */
#include "walk/walk.h"

#include "support/stun_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

/* The C library's struct ends before what the kernel has appended. */
typedef struct TcpInfo {
  struct tcp_info known;
  uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
} TcpInfo;

/* Little, so that the library soon has to wait for a peer that does not read [octets]. */
#define RECEIVE_BUFFER (16 * 1024)

static struct sockaddr_in loopback(int address, uint16_t port) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr = {htonl(INADDR_LOOPBACK + (uint32_t)address)}};
}

static int open_socket(int address, struct sockaddr_in *own, uint16_t port) {
  const int buffer = RECEIVE_BUFFER;
  const int one = 1;
  struct sockaddr_in to = loopback(0, port);
  socklen_t own_len = sizeof *own;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  *own = loopback(address, 0);
  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)own, sizeof *own) < 0 ||
      connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
      getsockname(fd, (struct sockaddr *)own, &own_len) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

void walk_conn_connect(Walk *walk, int index, int address) {
  WalkConn *conn = &walk->conns[index];
  struct sockaddr_in own;
  int fd = open_socket(address, &own, rtc_server_port(walk->server, 0));
  if (fd < 0)
    walk_fail(walk, "no TCP conn could be made: %m");
  conn->fd = fd;
  conn->port = ntohs(own.sin_port);
  conn->tcp = NULL;
  conn->reading = conn->read_all_along = true;
  conn->eof = conn->fin = conn->spoken = false;
  conn->serial = 0;
  conn->octets_out = 0;
  conn->ssrc = 0;
  conn->out_len = conn->out_sent = conn->in_len = 0;
}

RtcTcpConn *walk_conn_find(const Walk *walk, int index) {
  const WalkConn *conn = &walk->conns[index];
  const struct sockaddr_in own = loopback(walk->model.conns[index].address, conn->port);
  RtcTcpConn *tcp;
  if (conn->tcp)
    return conn->tcp;
  DL_FOREACH(walk->shard->tcp_conns, tcp) {
    const struct sockaddr_in *peer = (const struct sockaddr_in *)&tcp->peer.storage;
    if (tcp->state != RTC_TCP_CONN_STATE_DISPOSAL && peer->sin_port == own.sin_port &&
        peer->sin_addr.s_addr == own.sin_addr.s_addr)
      return tcp;
  }
  return NULL;
}

bool walk_conn_arrived(const Walk *walk, int index) {
  const WalkConn *conn = &walk->conns[index];
  const ModelConn *model = &walk->model.conns[index];
  TcpInfo info;
  socklen_t len = sizeof info;
  if (conn->fd < 0 || model->state == MODEL_CONN_ENDED || model->state == MODEL_CONN_FREE)
    return true;
  const RtcTcpConn *tcp = walk_conn_find(walk, index);
  return tcp && getsockopt(tcp->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
         info.bytes_received >= conn->octets_out;
}

/* -- Out -- */

void walk_conn_send_raw(Walk *walk, int index, const void *octets, size_t len) {
  WalkConn *conn = &walk->conns[index];
  for (size_t at = 0; at < len;) {
    ssize_t n = send(conn->fd, (const uint8_t *)octets + at, len - at, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
      walk_settle(walk); /* the library reads meanwhile */
    else if (n < 0)
      walk_fail(walk, "a live TCP conn takes nothing: %m");
    at += n > 0 ? (size_t)n : 0;
    conn->octets_out += n > 0 ? (size_t)n : 0;
  }
}

/* The library has all of it now, or will when it reads. */
static void complete(Walk *walk, int index) {
  WalkConn *conn = &walk->conns[index];
  int session = walk->model.conns[index].session;
  conn->out_len = conn->out_sent = 0;
  if (walk->model.conns[index].state ==
      MODEL_CONN_FIRST_FRAME) { /* it may end in this very turn, with last words */
    conn->session = conn->frame.session;
    conn->serial = conn->frame.serial;
  }
  if (conn->frame.kind == MODEL_FRAME_DTLS && session != MODEL_NONE)
    walk_peer_delivered(&walk->sessions[session].peer, conn->frame.flight, conn->frame.datagram);
  model_frame(&walk->model, index, &conn->frame);
}

static void send_up_to(Walk *walk, int index, size_t end) {
  WalkConn *conn = &walk->conns[index];
  walk_conn_send_raw(walk, index, conn->out + conn->out_sent, end - conn->out_sent);
  conn->out_sent = end;
  if (conn->out_sent == conn->out_len)
    complete(walk, index);
}

void walk_conn_send(Walk *walk, int index, const ModelFrame *frame, const uint8_t *packet,
                    size_t len, size_t cut) {
  WalkConn *conn = &walk->conns[index];
  rtc_frame_write_header(conn->out, len);
  memcpy(conn->out + RTC_FRAME_HEADER_LEN, packet, len);
  conn->out_len = RTC_FRAME_HEADER_LEN + len;
  conn->out_sent = 0;
  conn->frame = *frame;
  send_up_to(walk, index, cut > 0 && cut < conn->out_len ? cut : conn->out_len);
}

void walk_conn_send_rest(Walk *walk, int index) {
  send_up_to(walk, index, walk->conns[index].out_len);
}

/* -- In -- */

static int answer_of(const uint8_t *frame, size_t len) {
  size_t value_len;
  if (stun_get16(frame) == STUN_TYPE_BINDING_SUCCESS)
    return 0;
  const uint8_t *value = stun_find(frame, len, STUN_ERROR_CODE, &value_len);
  return value && value_len >= 4 ? value[2] * 100 + value[3] : -1;
}

static void take_answer(Walk *walk, int index, const uint8_t *frame, size_t len) {
  ModelConn *model = &walk->model.conns[index];
  int code = answer_of(frame, len);
  if (model->owed_count == 0)
    walk_fail(walk, "conn %d: an answer that nobody asked for: %d", index, code);
  if (model->owed[0] != code)
    walk_fail(walk, "conn %d: the answer is %d, not %d", index, code, model->owed[0]);
  model->owed_count--;
  memmove(model->owed, model->owed + 1, model->owed_count * sizeof *model->owed);
}

static void take_media(Walk *walk, int index, WalkPeer *peer, const uint8_t *frame, size_t len) {
  WalkConn *conn = &walk->conns[index];
  uint16_t sequence;
  uint32_t ssrc = 0;
  if (!walk_peer_open(peer, frame, len, &sequence, &ssrc))
    walk_fail(walk, "conn %d: media that does not open", index);
  if (ssrc == 0)
    return;
  if (ssrc == conn->ssrc && (uint16_t)(sequence - conn->sequence - 1) >= 0x8000)
    walk_fail(walk, "conn %d: sequence %u after %u", index, sequence, conn->sequence);
  conn->ssrc = ssrc;
  conn->sequence = sequence;
}

static void take_frame(Walk *walk, int index, const uint8_t *frame, size_t len) {
  WalkConn *conn = &walk->conns[index];
  WalkSession *session = &walk->sessions[conn->session];
  bool stun = len >= 20 && frame[0] < 4;
  bool current = walk->model.sessions[conn->session].serial == conn->serial;
  if (!conn->spoken && !stun)
    walk_fail(walk, "conn %d: something else came before the binding response", index);
  conn->spoken = true;
  if (stun)
    take_answer(walk, index, frame, len);
  else if (len > 0 && current && frame[0] >= 20 && frame[0] < 64)
    walk_peer_input(&session->peer, frame, len);
  else if (len > 0 && current && frame[0] >= 128 && frame[0] < 192)
    take_media(walk, index, &session->peer, frame, len);
  else if (current)
    walk_fail(walk, "conn %d: a frame of no known kind", index);
}

static void take_frames(Walk *walk, int index) {
  WalkConn *conn = &walk->conns[index];
  size_t at = 0;
  while (conn->in_len - at >= RTC_FRAME_HEADER_LEN) {
    size_t len = stun_get16(conn->in + at);
    if (conn->in_len - at - RTC_FRAME_HEADER_LEN < len)
      break;
    take_frame(walk, index, conn->in + at + RTC_FRAME_HEADER_LEN, len);
    at += RTC_FRAME_HEADER_LEN + len;
  }
  conn->in_len -= at;
  memmove(conn->in, conn->in + at, conn->in_len);
}

bool walk_conn_read(Walk *walk, int index) {
  WalkConn *conn = &walk->conns[index];
  bool any = false;
  while (conn->fd >= 0 && conn->reading && !conn->eof) {
    ssize_t n = recv(conn->fd, conn->in + conn->in_len, sizeof conn->in - conn->in_len, 0);
    if (n < 0 && errno == EAGAIN)
      return any;
    any = true;
    conn->eof = n <= 0;
    conn->in_len += n > 0 ? (size_t)n : 0;
    take_frames(walk, index);
  }
  return any;
}

/* -- End -- */

void walk_conn_fin(Walk *walk, int index) {
  (void)shutdown(walk->conns[index].fd, SHUT_WR);
  walk->conns[index].fin = true;
}

void walk_conn_close(Walk *walk, int index, bool reset) {
  const struct linger linger = {.l_onoff = 1};
  WalkConn *conn = &walk->conns[index];
  if (conn->fd < 0)
    return;
  if (reset)
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(conn->fd);
  conn->fd = -1;
  conn->out_len = conn->out_sent = 0;
}
