/* An RtcTcpConn that this side opens: its beginning, up to where it is served as any other.
 *
 * It is attached to its Connection from the start, before there is a socket, and not, as an
 * accepted one, when the peer is authenticated. So the invariants hold as they are: the back
 * pointer is written by attach and detach, it is there exactly while the Connection has a handle,
 * and a Connection that ends detaches, and interrupts, what is still connecting; no list of TCP
 * conns that belong to it but are not its own is needed. What is not PACKETS yet is never selected,
 * and nothing but STUN is read from it.
 *
 * One that has failed is not tried again: its Connection opens another one, with a later turn. */
#include "transport/rtc_connection_internal.h"

#include <errno.h>
#include <sys/socket.h>

/* -- Opening -- */

RtcError rtc_tcp_conn_open(RtcConnection *connection, const RtcAddress *peer, uint8_t candidate,
                           bool restarted, int64_t begin_us) {
  RtcShard *shard = connection->shard;
  RtcTcpConn *tcp = rtc_tcp_conn_make(shard, -1, peer);
  if (!tcp)
    return RTC_ERROR_NO_MEMORY;
  shard->stats.tcp_conns.total++;
  tcp->active = true;
  tcp->candidate = candidate;
  tcp->restarted = restarted;
  tcp->next_us = begin_us;
  rtc_tcp_conn_set_state(tcp, RTC_TCP_CONN_STATE_CONNECT);
  RtcError error = rtc_tcp_conn_start(tcp);
  if (error) {
    rtc_tcp_conn_set_close(tcp, RTC_TCP_CLOSE_NO_MEMORY);
    RtcResource *resource = &tcp->resource;
    rtc_resource_manager_remove(shard->manager, &resource);
    return error;
  }
  rtc_connection_attach(connection, tcp);
  rtc_tcp_conn_unref(&tcp); /* the executor and the Connection have handles of their own */
  return RTC_OK;
}

/* -- Connecting -- */

/* It may have been detached while it waited, and have been woken by something else before. */
static RtcError unless_detached(const RtcTcpConn *tcp, RtcError error) {
  return tcp->state == RTC_TCP_CONN_STATE_DISPOSAL ? RTC_ERROR_CANCELED : error;
}

/* Yields: yes. */
static RtcError await_turn(RtcTcpConn *tcp) {
  int64_t wait_us = tcp->next_us - rtc_worker_now(tcp->shard->worker);
  RtcError error = wait_us > 0 ? rtc_coroutine_sleep(tcp->shard->worker, wait_us) : RTC_OK;
  return unless_detached(tcp, error);
}

static RtcError open_socket(RtcTcpConn *tcp) {
  const struct sockaddr *to = (const struct sockaddr *)&tcp->peer.storage;
  tcp->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (tcp->fd < 0)
    return RTC_ERROR_SYSTEM;
  tcp->shard->stats.sockets_total++;
  rtc_tcp_path_prepare(tcp->fd, tcp->shard->settings->notsent_lowat);
  RtcError error = rtc_tcp_conn_watch(tcp);
  if (error)
    return error;
  if (connect(tcp->fd, to, tcp->peer.len) < 0 && errno != EINPROGRESS)
    return RTC_ERROR_SYSTEM;
  return RTC_OK;
}

/* Yields: yes. */
static RtcError await_accept(RtcTcpConn *tcp) {
  int64_t deadline_us = tcp->heard_us + tcp->shard->settings->first_frame_timeout_us;
  int failed = 0;
  socklen_t len = sizeof failed;
  unsigned events;
  rtc_io_set_interest(&tcp->io, RTC_IO_WRITABLE);
  RtcError error = unless_detached(tcp, rtc_io_wait(&tcp->io, deadline_us, &events));
  if (error)
    return error;
  rtc_io_set_interest(&tcp->io, RTC_IO_READABLE);
  if (getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &failed, &len) < 0 || failed != 0) {
    errno = failed ? failed : errno;
    return RTC_ERROR_SYSTEM;
  }
  return RTC_OK;
}

RtcError rtc_tcp_conn_connect(RtcTcpConn *tcp) {
  RtcError error = await_turn(tcp);
  if (error)
    return error;
  rtc_tcp_conn_heard(tcp); /* its deadline counts from here */
  tcp->next_us = RTC_NEVER;
  error = open_socket(tcp);
  if (!error)
    error = await_accept(tcp);
  if (error == RTC_ERROR_SYSTEM)
    RTC_LOG(rtc_shard_log(tcp->shard), DEBUG, "tcp-conn=%s: connect fails: %m", tcp->peer_text);
  if (error)
    return error;
  rtc_tcp_conn_set_state(tcp, RTC_TCP_CONN_STATE_BINDING_RESPONSE);
  return RTC_OK;
}
