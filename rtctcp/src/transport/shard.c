/* A shard: one worker's share of a server: its start, and its end when the last object has gone. */
#include "transport/listener.h"
#include "transport/rtc_connection_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

/* -- The pool -- */

/* What was not needed in a whole interval is given back, so a peak is kept for two at most. */
#define TRIM_INTERVAL_US (5 * RTC_US_PER_S)

static void start_trim(RtcShard *shard) {
  rtc_timer_start(&shard->trim, rtc_worker_now(shard->worker) + TRIM_INTERVAL_US);
}

static void trim_pool(void *arg) {
  RtcShard *shard = arg;
  if (rtc_block_pool_trim(&shard->pool))
    start_trim(shard);
}

static void note_kept(void *arg) {
  RtcShard *shard = arg;
  if (shard->state == RTC_SHARD_STATE_CLOSE && !rtc_timer_running(&shard->trim))
    start_trim(shard);
}

/* -- Making -- */

RtcError rtc_shard_init(RtcShard *shard, RtcServer *server, RtcWorker *worker, unsigned index,
                        const RtcServerSettings *settings, const RtcDtlsContext *dtls,
                        size_t listener_count) {
  *shard = (RtcShard){.server = server,
                      .worker = worker,
                      .index = index,
                      .settings = settings,
                      .dtls = dtls,
                      .listener_count = listener_count};
  rtc_block_pool_init(&shard->pool, note_kept, shard);
  rtc_registry_init(&shard->registry);
  rtc_load_init(&shard->load, rtc_clock_now_us());
  rtc_admission_init(&shard->admission, settings->unauthenticated_max,
                     settings->unauthenticated_per_address_max);
  shard->listeners = calloc(listener_count ? listener_count : 1, sizeof *shard->listeners);
  if (!shard->listeners)
    return RTC_ERROR_NO_MEMORY;
  return rtc_stun_server_new(&shard->stun);
}

void rtc_shard_finish(RtcShard *shard) {
  free(shard->listeners);
  shard->listeners = NULL;
  rtc_stun_server_destroy(shard->stun);
  shard->stun = NULL;
  rtc_block_pool_finish(&shard->pool);
  rtc_stun_client_destroy(shard->stun_client);
  shard->stun_client = NULL;
  rtc_admission_finish(&shard->admission);
  rtc_registry_finish(&shard->registry);
}

static void set_state(RtcShard *shard, RtcShardState state) {
  assert(state == shard->state + 1); /* there is one way, and no way back */
  shard->state = state;
}

/* -- Starting -- */

static void end_drain(void *arg);

static void on_stop(void *arg) {
  rtc_shard_close(arg);
}

static void close_all(const int *fds, size_t count) {
  for (size_t i = 0; i < count; i++)
    close(fds[i]);
}

static RtcError hold_and_manage(RtcShard *shard) {
  shard->holder = (RtcWorkerHolder){.on_stop = on_stop, .arg = shard};
  RtcError error = rtc_worker_hold(shard->worker, &shard->holder);
  if (error)
    return error;
  error = rtc_timer_init(&shard->drain, shard->worker, end_drain, shard);
  if (error)
    goto let_go;
  error = rtc_timer_init(&shard->trim, shard->worker, trim_pool, shard);
  if (error)
    goto finish_drain;
  error = rtc_resource_manager_new(&shard->manager, shard->worker, "server");
  if (error)
    goto finish_trim;
  return RTC_OK;

finish_trim:
  rtc_timer_finish(&shard->trim);
finish_drain:
  rtc_timer_finish(&shard->drain);
let_go:
  rtc_worker_let_go(shard->worker, &shard->holder);
  return error;
}

RtcError rtc_shard_start(RtcShard *shard, const int *fds) {
  RtcError error = hold_and_manage(shard);
  if (error) {
    close_all(fds, shard->listener_count);
    return error;
  }
  set_state(shard, RTC_SHARD_STATE_CLOSE);
  for (size_t i = 0; i < shard->listener_count; i++) {
    error = rtc_listener_start(&shard->listeners[i], shard, fds[i]);
    if (error) /* serve what can be served: one port of several may do */
      RTC_LOG(rtc_shard_log(shard), ERROR, "listener %zu does not start: %s", i,
              rtc_error_text(error));
  }
  return RTC_OK;
}

/* -- Closing -- */

static void end_connection(RtcResource *resource, void *arg) {
  const RtcClose *close = arg;
  if (resource->type == &rtc_connection_type)
    rtc_connection_end((RtcConnection *)resource, *close);
}

static void end_tcp_conn(RtcResource *resource, void *arg) {
  (void)arg;
  if (resource->type == &rtc_tcp_conn_type)
    rtc_tcp_conn_end((RtcTcpConn *)resource, RTC_TCP_CLOSE_WORKER_STOP);
}

static void close_for(RtcShard *shard, RtcClose close) {
  if (shard->state != RTC_SHARD_STATE_CLOSE)
    return;
  set_state(shard, RTC_SHARD_STATE_ENDINGS);
  rtc_load_close(&shard->load);
  rtc_timer_finish(&shard->drain);
  rtc_timer_finish(&shard->trim);
  for (size_t i = 0; i < shard->listener_count; i++)
    rtc_listener_close(&shard->listeners[i]);
  /* Sessions first: they detach their TCP conns, each with a last word. */
  rtc_resource_manager_each(shard->manager, end_connection, &close);
  rtc_resource_manager_each(shard->manager, end_tcp_conn, NULL);
  set_state(shard, RTC_SHARD_STATE_LAST_OBJECT);
  rtc_shard_check_closed(shard);
}

void rtc_shard_close(RtcShard *shard) {
  close_for(shard, RTC_CLOSE_WORKER_STOP);
}

/* -- Draining -- */

static void end_drain(void *arg) {
  close_for(arg, RTC_CLOSE_DRAIN);
}

static void end_unbegun(RtcResource *resource, void *arg) {
  (void)arg;
  if (resource->type != &rtc_connection_type)
    return;
  RtcConnection *connection = (RtcConnection *)resource;
  if (connection->state == RTC_CONNECTION_STATE_NEW)
    rtc_connection_end(connection, RTC_CLOSE_DRAIN);
}

void rtc_shard_drain(RtcShard *shard, int64_t deadline_us) {
  if (shard->state != RTC_SHARD_STATE_CLOSE) {
    rtc_server_shard_drained(shard->server);
    return;
  }
  shard->draining = true;
  rtc_load_close(&shard->load);
  rtc_timer_start(&shard->drain, deadline_us);
  rtc_resource_manager_each(shard->manager, end_unbegun, NULL);
  rtc_shard_check_drained(shard);
}

/* The registry has those that live, and no others. The listeners stay until all shards are drained:
 * a TCP conn in the queue of one that is closed would be reset, whosever session it comes for. */
void rtc_shard_check_drained(RtcShard *shard) {
  if (!shard->draining || shard->drained || shard->registry.count > 0)
    return;
  shard->drained = true;
  rtc_server_shard_drained(shard->server);
}

/* -- Closed -- */

static bool has_listeners(const RtcShard *shard) {
  for (size_t i = 0; i < shard->listener_count; i++)
    if (shard->listeners[i])
      return true;
  return false;
}

static void manager_closed(void *arg) {
  RtcShard *shard = arg;
  RtcServer *server = shard->server;
  rtc_worker_let_go(shard->worker, &shard->holder);
  rtc_server_let_go(server);
}

void rtc_shard_check_closed(RtcShard *shard) {
  if (shard->state != RTC_SHARD_STATE_LAST_OBJECT || has_listeners(shard))
    return;
  if (shard->stats.connections.live > 0 || shard->stats.tcp_conns.live > 0)
    return;
  set_state(shard, RTC_SHARD_STATE_FINISH);
  rtc_resource_manager_close(shard->manager, manager_closed, shard);
  shard->manager = NULL;
}

void rtc_shard_write_number(const RtcShard *shard, char ufrag[RTC_UFRAG_SHARD_LEN]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < RTC_UFRAG_SHARD_LEN; i++)
    ufrag[i] = digits[shard->index >> 4 * (RTC_UFRAG_SHARD_LEN - 1 - i) & 0xf];
}
