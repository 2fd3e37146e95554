/* RtcTcpConn: one socket, accepted or opened, and the coroutine that serves it to its end. */
#include "transport/rtc_connection_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

/* What is read and thrown away at the end, so that unread octets do not turn our FIN into a reset
 * that overtakes the last words. */
#define DISCARD_MAX ((size_t)1024 * 1024)

static void dispose(RtcResource *resource);
static void destroy(RtcResource *resource);

const RtcResourceType rtc_tcp_conn_type = {
    .name = "tcp-conn", .dispose = dispose, .destroy = destroy};

static void destroy_tcp(RtcTcpConn *tcp) {
  destroy(&tcp->resource);
}

RTC_SHARED_DEFINE(RtcTcpConn, rtc_tcp_conn, resource.shared, destroy_tcp);

void rtc_tcp_conn_set_state(RtcTcpConn *tcp, RtcTcpConnState state) {
  assert(state > tcp->state);
  tcp->state = state;
}

void rtc_tcp_conn_set_close(RtcTcpConn *tcp, RtcTcpClose close) {
  if (tcp->close == RTC_TCP_CLOSE_COUNT)
    tcp->close = close;
}

static void leave_admission(RtcTcpConn *tcp) {
  if (!tcp->admitted)
    return;
  tcp->admitted = false;
  rtc_admission_leave(&tcp->shard->admission, rtc_address_key(&tcp->peer));
}

/* -- Out -- */

static size_t fill(uint8_t *out, size_t cap, void *arg) {
  RtcTcpConn *tcp = arg;
  return tcp->connection ? rtc_connection_fill(tcp->connection, tcp, out, cap) : 0;
}

/* Only a path that is slower than what is sent has something to tell. */
static void adjust_to_path(RtcTcpConn *tcp) {
  rtc_tcp_path_blocked(&tcp->path, tcp->fd, rtc_worker_now(tcp->shard->worker));
  tcp->writer.chunk_min = tcp->path.lowat;
}

static void flush(void *arg) {
  RtcTcpConn *tcp = arg;
  if (tcp->state == RTC_TCP_CONN_STATE_DISPOSAL)
    return;
  RtcWorker *worker = tcp->shard->worker;
  RtcError error = rtc_frame_writer_flush(&tcp->writer, tcp->fd, rtc_worker_send_buffer(worker),
                                          RTC_WORKER_BUFFER_SIZE, fill, tcp);
  if (tcp->state == RTC_TCP_CONN_STATE_DISPOSAL) /* closed by a callback of fill */
    return;
  tcp->blocked = error == RTC_ERROR_AGAIN;
  if (tcp->blocked)
    adjust_to_path(tcp);
  rtc_io_set_interest(&tcp->io, RTC_IO_READABLE | (tcp->blocked ? RTC_IO_WRITABLE : 0u));
  if (!error || error == RTC_ERROR_AGAIN)
    return;
  rtc_tcp_conn_set_close(tcp, error == RTC_ERROR_NO_MEMORY ? RTC_TCP_CLOSE_NO_MEMORY
                                                           : RTC_TCP_CLOSE_SOCKET_ERROR);
  rtc_executor_interrupt(tcp->executor);
}

void rtc_tcp_conn_want_flush(RtcTcpConn *tcp) {
  if (!tcp->blocked)
    rtc_worker_at_end_of_turn(tcp->shard->worker, &tcp->flush);
}

RtcError rtc_tcp_conn_send_control(RtcTcpConn *tcp, const uint8_t *packet, size_t len) {
  RtcError error = rtc_frame_writer_control(&tcp->writer, packet, len);
  if (!error)
    rtc_tcp_conn_want_flush(tcp);
  else if (error == RTC_ERROR_NO_MEMORY)
    rtc_tcp_conn_end(tcp, RTC_TCP_CLOSE_NO_MEMORY);
  return error;
}

void rtc_tcp_conn_flush_control(RtcTcpConn *tcp) {
  uint8_t chunk[4096]; /* the worker's send buffer may be in use: a callback may have closed us */
  if (tcp->fd < 0)
    return;
  RtcError error = rtc_frame_writer_flush(&tcp->writer, tcp->fd, chunk, sizeof chunk, NULL, NULL);
  (void)error; /* best effort: it ends whether they went out or not */
}

/* -- In -- */

static RtcError take_frame(RtcTcpConn *tcp, uint8_t *frame, size_t len) {
  if (tcp->state == RTC_TCP_CONN_STATE_FIRST_FRAME)
    return rtc_tcp_conn_admit(tcp, frame, len);
  rtc_connection_input(tcp->connection, tcp, frame, len);
  return tcp->connection ? RTC_OK : RTC_ERROR_CANCELED;
}

static RtcError take_octets(RtcTcpConn *tcp, uint8_t *octets, size_t octets_len) {
  uint8_t *frame;
  size_t len;
  rtc_frame_reader_push(&tcp->reader, octets, octets_len);
  for (;;) {
    RtcError error = rtc_frame_reader_next(&tcp->reader, &frame, &len);
    if (error)
      return error == RTC_ERROR_AGAIN ? RTC_OK : error;
    error = take_frame(tcp, frame, len);
    if (error)
      return error;
  }
}

/* What another worker has read of it. */
static RtcError take_handed(RtcTcpConn *tcp) {
  uint8_t *octets = tcp->handed;
  tcp->handed = NULL;
  RtcError error = take_octets(tcp, octets, tcp->handed_len);
  free(octets);
  return error;
}

static RtcError read_frames(RtcTcpConn *tcp) {
  bool stranger = tcp->state == RTC_TCP_CONN_STATE_FIRST_FRAME;
  size_t cap = stranger ? RTC_FRAME_HEADER_LEN + RTC_STUN_LEN_MAX : RTC_WORKER_BUFFER_SIZE;
  uint8_t *buffer = rtc_worker_receive_buffer(tcp->shard->worker);
  ssize_t n = recv(tcp->fd, buffer, cap, MSG_DONTWAIT);
  if (n == 0)
    return RTC_ERROR_EOF;
  if (n < 0)
    return errno == EAGAIN || errno == EINTR ? RTC_OK : RTC_ERROR_SYSTEM;

  return take_octets(tcp, buffer, (size_t)n);
}

/* What a wait has brought. It may have been detached in the wait, or by a callback of the flush. */
static RtcError act(RtcTcpConn *tcp, unsigned events) {
  if ((events & RTC_IO_WRITABLE) && tcp->blocked)
    flush(tcp);
  if (tcp->state == RTC_TCP_CONN_STATE_DISPOSAL)
    return RTC_ERROR_CANCELED;
  return events & RTC_IO_READABLE ? read_frames(tcp) : RTC_OK;
}

static int64_t deadline_of(const RtcTcpConn *tcp) {
  const RtcServerSettings *settings = tcp->shard->settings;
  bool stranger = tcp->state < RTC_TCP_CONN_STATE_PACKETS;
  return tcp->heard_us +
         (stranger ? settings->first_frame_timeout_us : settings->session_timeout_us);
}

/* It may have been detached meanwhile, but then there is an error. */
static void check_in_turn(RtcTcpConn *tcp) {
  if (rtc_worker_now(tcp->shard->worker) >= tcp->next_us)
    rtc_connection_check(tcp->connection, tcp);
}

/* One wait, and what it brought. The deadline is judged after a read: what came in time is only
 * heard late if the worker was held up; and before another wait: a flood must not put it off. */
static RtcError serve(RtcTcpConn *tcp) {
  unsigned events = RTC_IO_READABLE;
  int64_t deadline_us = deadline_of(tcp);
  rtc_coroutine_allow_yield(tcp->shard->worker);
  RtcError error =
      rtc_io_wait(&tcp->io, tcp->next_us < deadline_us ? tcp->next_us : deadline_us, &events);
  rtc_coroutine_forbid_yield(tcp->shard->worker);
  if (!error || error == RTC_ERROR_TIMEOUT)
    error = act(tcp, events);
  if (!error)
    check_in_turn(tcp);
  bool late = rtc_worker_now(tcp->shard->worker) >= deadline_of(tcp);
  return !error && late ? RTC_ERROR_TIMEOUT : error;
}

static RtcTcpClose close_of(const RtcTcpConn *tcp, RtcError error) {
  bool stranger = tcp->state == RTC_TCP_CONN_STATE_FIRST_FRAME;
  bool connects = tcp->state == RTC_TCP_CONN_STATE_CONNECT;
  if (connects && error != RTC_ERROR_NO_MEMORY && error != RTC_ERROR_CANCELED)
    return RTC_TCP_CLOSE_CONNECT_FAILED;
  switch (error) {
  case RTC_ERROR_TIMEOUT:
    if (tcp->state == RTC_TCP_CONN_STATE_BINDING_RESPONSE)
      return RTC_TCP_CLOSE_CHECK_FAILED;
    return stranger ? RTC_TCP_CLOSE_FIRST_FRAME_LATE : RTC_TCP_CLOSE_SILENCE;
  case RTC_ERROR_EOF:
    return RTC_TCP_CLOSE_PEER_FIN;
  case RTC_ERROR_PROTO:
    return stranger ? RTC_TCP_CLOSE_FIRST_FRAME_MALFORMED : RTC_TCP_CLOSE_FRAME_MALFORMED;
  case RTC_ERROR_NO_MEMORY:
    return RTC_TCP_CLOSE_NO_MEMORY;
  case RTC_ERROR_CANCELED:
    return RTC_TCP_CLOSE_WORKER_STOP; /* whoever else interrupts has given a reason before */
  default:
    return RTC_TCP_CLOSE_SOCKET_ERROR;
  }
}

/* Yields: yes. */
static RtcError begin(RtcTcpConn *tcp) {
  if (tcp->active)
    return rtc_tcp_conn_connect(tcp);
  return tcp->handed ? RTC_OK : rtc_tcp_conn_await_first_octet(tcp);
}

/* It yields in begin and in serve's wait, and nowhere else: no Connection method does. */
static RtcError cycle(RtcResource *resource) {
  RtcTcpConn *tcp = (RtcTcpConn *)resource;
  RtcShard *shard = tcp->shard;
  RtcError error = begin(tcp);
  rtc_coroutine_forbid_yield(shard->worker);
  if (!error && tcp->active)
    rtc_connection_check(tcp->connection, tcp);
  if (tcp->handed)
    error = take_handed(tcp);
  while (!error)
    error = serve(tcp);
  rtc_tcp_conn_set_close(tcp, close_of(tcp, error));
  RTC_LOG(rtc_shard_log(shard), DEBUG, "tcp-conn=%s: closes: %s", tcp->peer_text,
          rtc_tcp_close_name(tcp->close));
  if (tcp->connection)
    rtc_connection_lost(tcp->connection, tcp, tcp->close);
  else if (tcp->state != RTC_TCP_CONN_STATE_DISPOSAL)
    rtc_tcp_conn_set_state(tcp, RTC_TCP_CONN_STATE_DISPOSAL);
  rtc_coroutine_allow_yield(shard->worker);
  return error;
}

/* -- Begin and end -- */

RtcTcpConn *rtc_tcp_conn_make(RtcShard *shard, int fd, const RtcAddress *peer) {
  RtcTcpConn *tcp = calloc(1, sizeof *tcp);
  if (!tcp)
    return NULL;
  rtc_resource_init(&tcp->resource, &rtc_tcp_conn_type);
  tcp->shard = shard;
  tcp->fd = fd;
  tcp->peer = *peer;
  tcp->next_us = RTC_NEVER;
  tcp->close = RTC_TCP_CLOSE_COUNT;
  tcp->made_us = tcp->heard_us = rtc_worker_now(shard->worker);
  tcp->flush = (RtcTask){.run = flush, .arg = tcp};
  rtc_address_format(peer, tcp->peer_text);
  rtc_frame_reader_init(&tcp->reader, RTC_STUN_LEN_MAX);
  rtc_tcp_path_init(&tcp->path, shard->settings->notsent_lowat);
  rtc_frame_writer_init(&tcp->writer, &shard->pool, shard->settings->notsent_lowat);
  DL_APPEND(shard->tcp_conns, tcp);
  shard->stats.tcp_conns.live++;
  return tcp;
}

RtcError rtc_tcp_conn_watch(RtcTcpConn *tcp) {
  RtcError error = rtc_io_init(&tcp->io, tcp->shard->worker, tcp->fd);
  if (!error)
    rtc_io_set_interest(&tcp->io, RTC_IO_READABLE);
  return error;
}

RtcError rtc_tcp_conn_start(RtcTcpConn *tcp) {
  RtcShard *shard = tcp->shard;
  RtcError error = rtc_resource_manager_add(shard->manager, &tcp->resource,
                                            rtc_resource_manager_next_id(shard->manager), NULL);
  if (error)
    return error;
  return rtc_executor_start(&tcp->executor, shard->worker, shard->manager, &tcp->resource,
                            "tcp-conn", cycle);
}

static RtcTcpClose close_of_refusal(RtcError error) {
  return error == RTC_ERROR_NO_MEMORY ? RTC_TCP_CLOSE_NO_MEMORY : RTC_TCP_CLOSE_REFUSED;
}

/* Admission comes first: what was made of a socket goes in the manager's turn only, which a flood
 * of them would outrun, with their descriptors. */
RtcError rtc_tcp_conn_accept(RtcShard *shard, int fd, const RtcAddress *peer, uint8_t *handed,
                             size_t handed_len) {
  RtcTcpConn *tcp;
  assert(rtc_worker_is_current(shard->worker));
  shard->stats.tcp_conns.total++;
  RtcError error = rtc_admission_enter(&shard->admission, rtc_address_key(peer));
  if (error)
    goto close_fd;
  error = RTC_ERROR_NO_MEMORY;
  tcp = rtc_tcp_conn_make(shard, fd, peer);
  if (!tcp)
    goto leave;
  tcp->admitted = true;
  tcp->handed = handed;
  tcp->handed_len = handed_len;
  tcp->was_handed = handed != NULL;
  error = rtc_tcp_conn_watch(tcp);
  if (!error)
    error = rtc_tcp_conn_start(tcp);
  if (error) {
    rtc_tcp_conn_set_close(tcp, close_of_refusal(error));
    RtcResource *resource = &tcp->resource;
    rtc_resource_manager_remove(shard->manager, &resource);
    return error;
  }
  rtc_tcp_conn_unref(&tcp); /* the executor has a handle of its own */
  return RTC_OK;

leave:
  rtc_admission_leave(&shard->admission, rtc_address_key(peer));
close_fd:
  shard->stats.tcp_closes[close_of_refusal(error)]++;
  free(handed);
  close(fd);
  return error;
}

static void say_goodbye(RtcTcpConn *tcp) {
  uint8_t *buffer = rtc_worker_receive_buffer(tcp->shard->worker);
  if (tcp->fd < 0 || shutdown(tcp->fd, SHUT_WR) < 0)
    return;
  for (size_t discarded = 0; discarded < DISCARD_MAX;) {
    ssize_t n = recv(tcp->fd, buffer, RTC_WORKER_BUFFER_SIZE, MSG_DONTWAIT);
    if (n <= 0)
      return;
    discarded += (size_t)n;
  }
}

static void dispose(RtcResource *resource) {
  RtcTcpConn *tcp = (RtcTcpConn *)resource;
  RtcShard *shard = tcp->shard;
  assert(!tcp->connection);
  if (tcp->state != RTC_TCP_CONN_STATE_DISPOSAL) /* its coroutine was never entered */
    rtc_tcp_conn_set_state(tcp, RTC_TCP_CONN_STATE_DISPOSAL);
  rtc_tcp_conn_set_close(tcp, RTC_TCP_CLOSE_WORKER_STOP);
  shard->stats.tcp_closes[tcp->close]++;
  leave_admission(tcp);
  rtc_worker_cancel_task(shard->worker, &tcp->flush);
  rtc_io_finish(&tcp->io);
  rtc_frame_reader_finish(&tcp->reader);
  free(tcp->handed);
  tcp->handed = NULL;
  rtc_frame_writer_finish(&tcp->writer);
  say_goodbye(tcp);
}

static void destroy(RtcResource *resource) {
  RtcTcpConn *tcp = (RtcTcpConn *)resource;
  if (tcp->fd >= 0)
    close(tcp->fd);
  RtcShard *shard = tcp->shard;
  DL_DELETE(shard->tcp_conns, tcp);
  free(tcp);
  shard->stats.tcp_conns.live--;
  rtc_shard_check_closed(shard);
}

void rtc_tcp_conn_heard(RtcTcpConn *tcp) {
  tcp->heard_us = rtc_worker_now(tcp->shard->worker);
}

void rtc_tcp_conn_authenticated(RtcTcpConn *tcp) {
  rtc_tcp_conn_set_state(tcp, RTC_TCP_CONN_STATE_PACKETS);
  leave_admission(tcp);
  rtc_tcp_conn_heard(tcp);
  tcp->reader.frame_len_max = RTC_FRAME_LEN_MAX;
}

void rtc_tcp_conn_attached(RtcTcpConn *tcp) {
  if (!tcp->active)
    rtc_tcp_conn_authenticated(tcp);
}

void rtc_tcp_conn_detached(RtcTcpConn *tcp, RtcTcpClose close) {
  rtc_tcp_conn_set_close(tcp, close);
  rtc_tcp_conn_set_state(tcp, RTC_TCP_CONN_STATE_DISPOSAL);
  rtc_executor_interrupt(tcp->executor);
}

void rtc_tcp_conn_end(RtcTcpConn *tcp, RtcTcpClose close) {
  rtc_tcp_conn_set_close(tcp, close);
  rtc_executor_interrupt(tcp->executor);
}

void rtc_tcp_conn_close(RtcTcpConn *tcp) {
  if (tcp->state == RTC_TCP_CONN_STATE_DISPOSAL)
    return;
  rtc_tcp_conn_end(tcp, RTC_TCP_CLOSE_HOST);
  if (tcp->connection)
    rtc_connection_end(tcp->connection, RTC_CLOSE_HOST);
}

RtcTcpConnState rtc_tcp_conn_state(const RtcTcpConn *tcp) {
  return tcp->state;
}

const char *rtc_tcp_conn_peer(const RtcTcpConn *tcp) {
  return tcp->peer_text;
}

#define NAME(name, text) text,

const char *rtc_tcp_conn_state_name(RtcTcpConnState state) {
  static const char *const names[] = {RTC_TCP_CONN_STATE_MAP(NAME)};
  return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

const char *rtc_tcp_close_name(RtcTcpClose close) {
  static const char *const names[] = {RTC_TCP_CLOSE_MAP(NAME)};
  return (size_t)close < sizeof names / sizeof *names ? names[close] : "unknown";
}
