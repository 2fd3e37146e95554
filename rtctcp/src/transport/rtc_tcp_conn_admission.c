/* The first frame of a TCP conn: what is not ICE goes to the host, what is another worker's session
 * goes there, a stranger goes, and who proves the password of a session is attached to it. */
#include "transport/rtc_connection_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Frames that may come before one authenticates: a role conflict is answered and tried again
 * (RFC 8445 section 7.3.1.1), but not for ever. */
#define EARLY_FRAMES_MAX 4
/* A first frame is a STUN message of less than 2,048 octets, so the first octet of its length is
 * below 8. HTTP begins with a letter, TLS with 0x16, SSH with 'S', PROXY with 'P' or 0x0d. */
#define FIRST_OCTET_END 0x08

/* -- Not ICE -- */

/* Not ICE: the host gets the socket, with nothing read from it. */
static RtcError hand_over(RtcTcpConn *tcp) {
  const RtcServerSettings *settings = tcp->shard->settings;
  rtc_tcp_conn_set_close(tcp, RTC_TCP_CLOSE_FOREIGN);
  if (!settings->on_foreign_socket)
    return RTC_ERROR_UNSUPPORTED;
  int fd = tcp->fd;
  rtc_io_finish(&tcp->io);
  tcp->fd = -1;
  settings->on_foreign_socket(fd, (const struct sockaddr *)&tcp->peer.storage, tcp->peer.len,
                              settings->arg);
  return RTC_ERROR_UNSUPPORTED;
}

RtcError rtc_tcp_conn_await_first_octet(RtcTcpConn *tcp) {
  int64_t deadline_us = tcp->heard_us + tcp->shard->settings->first_frame_timeout_us;
  uint8_t first;
  unsigned events;
  for (;;) {
    RtcError error = rtc_io_wait(&tcp->io, deadline_us, &events);
    if (error)
      return error;
    ssize_t n = recv(tcp->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 1)
      return first < FIRST_OCTET_END ? RTC_OK : hand_over(tcp);
    if (n == 0)
      return RTC_ERROR_EOF;
    if (errno != EAGAIN && errno != EINTR)
      return RTC_ERROR_SYSTEM;
  }
}

/* -- Another worker's session -- */

/* A socket on its way to the worker that its session is on. */
typedef struct Handover {
  RtcLetter letter;
  RtcShard *to; /* back: its server is kept open */
  int fd;       /* owned */
  RtcAddress peer;
  size_t len;
  uint8_t *octets; /* owned: what was read already, from the first frame on */
} Handover;

static void free_handover(Handover *handover) {
  if (handover->fd >= 0)
    close(handover->fd);
  free(handover->octets);
  free(handover);
}

static void take_over(void *arg) {
  Handover *handover = arg;
  RtcShard *to = handover->to;
  RtcServer *server = to->server;
  if (to->state == RTC_SHARD_STATE_CLOSE) {
    RtcError error =
        rtc_tcp_conn_accept(to, handover->fd, &handover->peer, handover->octets, handover->len);
    to->stats.refused_limit += error == RTC_ERROR_LIMIT;
    handover->fd = -1;
    handover->octets = NULL;
  }
  free_handover(handover);
  rtc_server_let_go(server); /* last: the host may take the server for closed from here on */
}

static Handover *make_handover(const RtcTcpConn *tcp, const uint8_t *frame, size_t len) {
  const RtcFrameReader *reader = &tcp->reader;
  Handover *handover = calloc(1, sizeof *handover);
  if (!handover)
    return NULL;
  handover->fd = -1;
  handover->peer = tcp->peer;
  handover->len = RTC_FRAME_HEADER_LEN + len + reader->input_len;
  handover->octets = malloc(handover->len);
  if (!handover->octets) {
    free_handover(handover);
    return NULL;
  }
  rtc_frame_write_header(handover->octets, len);
  memcpy(handover->octets + RTC_FRAME_HEADER_LEN, frame, len);
  if (reader->input_len > 0)
    memcpy(handover->octets + RTC_FRAME_HEADER_LEN + len, reader->input, reader->input_len);
  return handover;
}

/* The ufrag names a session of another worker: that one gets the socket, with what was read. */
static RtcError hand_to_worker(RtcTcpConn *tcp, RtcShard *to, const uint8_t *frame, size_t len) {
  Handover *handover = make_handover(tcp, frame, len);
  if (!handover)
    return RTC_ERROR_NO_MEMORY;
  rtc_tcp_conn_set_close(tcp, RTC_TCP_CLOSE_HANDED_OVER);
  rtc_io_finish(&tcp->io);
  handover->to = to;
  handover->fd = tcp->fd;
  tcp->fd = -1;
  rtc_server_keep(to->server);
  handover->letter = (RtcLetter){.fn = take_over, .arg = handover};
  if (rtc_worker_post_letter(to->worker, &handover->letter) != RTC_OK) {
    rtc_server_let_go(to->server);
    free_handover(handover);
  }
  return RTC_ERROR_UNSUPPORTED;
}

/* -- Admission -- */

typedef struct Lookup {
  RtcShard *shard;
  RtcShard *owner;                /* out: the shard that the ufrag names; NULL: none */
  RtcConnection *connection;      /* out: borrowed */
  const RtcIceCredentials *named; /* out: borrowed: the Connection's */
} Lookup;

static bool look_up(const RtcStunUsername *username, const uint8_t **password, size_t *password_len,
                    void *arg) {
  Lookup *lookup = arg;
  lookup->owner =
      rtc_server_shard_of_ufrag(lookup->shard->server, username->local, username->local_len);
  RtcConnection *connection =
      rtc_registry_find(&lookup->shard->registry, username->local, username->local_len);
  /* Nobody may come to an active one: it offers nothing to connect to. */
  bool awaited = connection && !connection->active;
  lookup->named = awaited ? rtc_connection_credentials(connection, username) : NULL;
  if (!lookup->named)
    return false;
  lookup->connection = connection;
  *password = (const uint8_t *)lookup->named->pwd;
  *password_len = RTC_ICE_PWD_LEN;
  return true;
}

static void answer(RtcTcpConn *tcp, const RtcStunOutcome *outcome) {
  if (outcome->response_len == 0)
    return;
  RtcError error = rtc_tcp_conn_send_control(tcp, outcome->response, outcome->response_len);
  if (error)
    RTC_LOG(rtc_shard_log(tcp->shard), DEBUG, "tcp-conn=%s: a STUN response is dropped: %s",
            tcp->peer_text, rtc_error_text(error));
}

static RtcError refuse(RtcTcpConn *tcp, RtcTcpClose close) {
  rtc_tcp_conn_set_close(tcp, close);
  rtc_tcp_conn_flush_control(tcp);
  return RTC_ERROR_AUTH;
}

static RtcError refuse_outcome(RtcTcpConn *tcp, const RtcStunOutcome *outcome) {
  if (outcome->result == RTC_STUN_IGNORED)
    return refuse(tcp, RTC_TCP_CLOSE_FIRST_FRAME_MALFORMED);
  if (outcome->unknown_session)
    return refuse(tcp, tcp->shard->draining ? RTC_TCP_CLOSE_DRAIN : RTC_TCP_CLOSE_NO_SUCH_SESSION);
  return refuse(tcp, RTC_TCP_CLOSE_FIRST_FRAME_UNAUTHENTICATED);
}

/* Nothing is created or changed before the request has proven the session's password. */
RtcError rtc_tcp_conn_admit(RtcTcpConn *tcp, const uint8_t *frame, size_t len) {
  RtcShard *shard = tcp->shard;
  Lookup lookup = {.shard = shard};
  RtcStunOutcome outcome;

  if (++tcp->early_frames > EARLY_FRAMES_MAX)
    return refuse(tcp, RTC_TCP_CLOSE_FIRST_FRAME_UNAUTHENTICATED);
  rtc_stun_server_handle(shard->stun, RTC_STUN_ROLE_LITE, frame, len,
                         (struct sockaddr *)&tcp->peer.storage, tcp->peer.len, look_up, &lookup,
                         &outcome);
  if (outcome.result == RTC_STUN_ROLE_CONFLICT) {
    answer(tcp, &outcome);
    return RTC_OK; /* the peer changes its role and asks again */
  }
  /* Once: sent to and fro it would get its deadline and its frames anew each time. */
  bool elsewhere = outcome.unknown_session && lookup.owner && lookup.owner != shard;
  if (elsewhere && !tcp->was_handed)
    return hand_to_worker(tcp, lookup.owner, frame, len);
  if (outcome.result != RTC_STUN_BINDING_REQUEST) {
    answer(tcp, &outcome);
    return refuse_outcome(tcp, &outcome);
  }
  rtc_connection_attach(lookup.connection, tcp);
  answer(tcp, &outcome);
  rtc_connection_bound(lookup.connection, tcp, lookup.named, &outcome);
  return tcp->connection ? RTC_OK : RTC_ERROR_CANCELED;
}
