/* A listener: one listening socket of one worker, and the coroutine that accepts from it. */
#include "transport/listener.h"

#include "runtime/io.h"
#include "transport/rtc_tcp_conn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG     1024
#define ACCEPTS_MAX 64 /* in one turn: others have work too */
/* No descriptor or no memory: conns wait in the backlog meanwhile, and others may end. */
#define PAUSE_US (100 * RTC_US_PER_MS)

struct RtcListener {
  RtcListener **slot; /* back: the shard's, set to NULL at the end */
  RtcShard *shard;    /* back */
  RtcCoroutine *co;   /* borrowed: lives as long as the listener */
  RtcIo io;
  int fd;         /* owned */
  bool begun;     /* the coroutine has taken its first step, and ends the listener itself */
  bool exhausted; /* the last accept failed for want of something; it was logged */
};

/* -- Opening -- */

static RtcError error_of(int code) {
  if (code == EADDRINUSE)
    return RTC_ERROR_ADDRESS_IN_USE;
  return code == EACCES || code == EPERM ? RTC_ERROR_ACCESS : RTC_ERROR_SYSTEM;
}

static bool set_option(int fd, int level, int name) {
  int one = 1;
  return setsockopt(fd, level, name, &one, sizeof one) == 0;
}

static bool prepare(int fd, RtcAddress *address) {
  struct sockaddr *to = (struct sockaddr *)&address->storage;
  if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR))
    return false;
  /* Each listener is of one family, so that [::] and 0.0.0.0 can stand side by side. */
  if (to->sa_family == AF_INET6 && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY))
    return false;
  if (bind(fd, to, address->len) < 0 || listen(fd, BACKLOG) < 0)
    return false;
  address->len = sizeof address->storage;
  return getsockname(fd, to, &address->len) == 0;
}

/* What is accepted has it from the listening socket.
 * Errors: UNSUPPORTED, ACCESS (not one that every user may choose), SYSTEM */
static RtcError set_congestion_control(int fd, const char *name) {
  if (!name)
    return RTC_OK;
  if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0)
    return RTC_OK;
  return errno == ENOENT ? RTC_ERROR_UNSUPPORTED : error_of(errno);
}

RtcError rtc_listener_open(int *out, RtcAddress *address, bool reuse_port,
                           const RtcListenerOptions *options) {
  int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return error_of(errno);
  if (reuse_port && !set_option(fd, SOL_SOCKET, SO_REUSEPORT)) {
    close(fd);
    return RTC_ERROR_UNSUPPORTED;
  }
  rtc_tcp_path_prepare(fd, options->notsent_lowat);
  RtcError error = set_congestion_control(fd, options->congestion_control);
  if (!error && !prepare(fd, address))
    error = error_of(errno);
  if (error) {
    close(fd);
    return error;
  }
  *out = fd;
  return RTC_OK;
}

RtcError rtc_listener_share(int *out, int fd) {
  int another = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (another < 0)
    return error_of(errno);
  *out = another;
  return RTC_OK;
}

/* -- Accepting -- */

static void take(RtcListener *listener, int fd, const RtcAddress *peer) {
  RtcShard *shard = listener->shard;
  listener->exhausted = false;
  RtcError error = rtc_tcp_conn_accept(shard, fd, peer, NULL, 0);
  if (!error)
    return;
  char text[RTC_ADDRESS_TEXT_MAX];
  rtc_address_format(peer, text);
  shard->stats.refused_limit += error == RTC_ERROR_LIMIT;
  RTC_LOG(rtc_shard_log(shard), DEBUG, "tcp-conn=%s: refused: %s", text, rtc_error_text(error));
}

/* Errors: AGAIN (no more), NO_MEMORY (pause, then go on) */
static RtcError accept_one(RtcListener *listener) {
  RtcShard *shard = listener->shard;
  RtcAddress peer = {.len = sizeof peer.storage};
  int fd = accept4(listener->fd, (struct sockaddr *)&peer.storage, &peer.len,
                   SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    shard->stats.sockets_total++;
    take(listener, fd, &peer);
    return RTC_OK;
  }
  if (errno == EAGAIN)
    return RTC_ERROR_AGAIN;
  shard->stats.accept_errors++;
  bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
  if (!exhausted) /* accept(2): errors of the new conn itself; the next one may be fine */
    return RTC_OK;
  if (!listener->exhausted)
    RTC_LOG(rtc_shard_log(shard), ERROR, "accept fails: %m; retried every %d ms",
            (int)(PAUSE_US / RTC_US_PER_MS));
  listener->exhausted = true;
  return RTC_ERROR_NO_MEMORY;
}

static RtcError accept_some(RtcListener *listener) {
  for (int i = 0; i < ACCEPTS_MAX; i++) {
    RtcError error = accept_one(listener);
    if (error)
      return error;
  }
  return RTC_ERROR_AGAIN;
}

static void finish(RtcListener *listener) {
  RtcShard *shard = listener->shard;
  *listener->slot = NULL;
  rtc_io_finish(&listener->io);
  close(listener->fd);
  free(listener);
  rtc_shard_check_closed(shard);
}

static RtcError cycle(void *arg) {
  RtcListener *listener = arg;
  RtcError error;
  unsigned events;
  listener->begun = true;
  do {
    error = rtc_io_wait(&listener->io, RTC_NEVER, &events);
    if (!error && accept_some(listener) == RTC_ERROR_NO_MEMORY)
      error = rtc_coroutine_sleep(listener->shard->worker, PAUSE_US);
  } while (!error);
  finish(listener);
  return error;
}

/* -- Begin and end -- */

RtcError rtc_listener_start(RtcListener **slot, RtcShard *shard, int fd) {
  RtcListener *listener = calloc(1, sizeof *listener);
  RtcError error = RTC_ERROR_NO_MEMORY;
  if (!listener)
    goto close_fd;
  *listener = (RtcListener){.slot = slot, .shard = shard, .fd = fd};
  error = rtc_io_init(&listener->io, shard->worker, fd);
  if (error)
    goto free_listener;
  rtc_io_set_interest(&listener->io, RTC_IO_READABLE);
  error = rtc_coroutine_spawn(&listener->co, shard->worker, "listener", cycle, listener);
  if (error)
    goto finish_io;
  rtc_coroutine_detach(listener->co);
  shard->stats.sockets_total++;
  *slot = listener;
  return RTC_OK;

finish_io:
  rtc_io_finish(&listener->io);
free_listener:
  free(listener);
close_fd:
  close(fd);
  return error;
}

void rtc_listener_close(RtcListener **slot) {
  RtcListener *listener = *slot;
  if (!listener)
    return;
  rtc_coroutine_interrupt(listener->co);
  if (!listener->begun) /* then it never will */
    finish(listener);
}
