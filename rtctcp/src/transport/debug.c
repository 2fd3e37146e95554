/* The debug view: every object of a worker's share, and who holds it. */
#include "transport/rtc_connection_internal.h"

#include <rtctcp/debug.h>

static uint64_t ms_since(const RtcShard *shard, int64_t then_us) {
  return (uint64_t)((rtc_worker_now(shard->worker) - then_us) / RTC_US_PER_MS);
}

/* What is not the library's is the host's. */
static void count_others(RtcHolders *holders, const RtcResource *resource) {
  holders->manager = rtc_resource_state(resource) == RTC_RESOURCE_STATE_DISPOSAL;
  holders->others = rtc_resource_handles(resource) - holders->registry - holders->connection -
                    holders->executor - holders->manager;
}

static RtcHolders holders_of_connection(const RtcConnection *connection) {
  bool closed = connection->state == RTC_CONNECTION_STATE_CLOSED;
  RtcHolders holders = {.registry = closed ? 0 : connection->restart ? 2 : 1};
  count_others(&holders, &connection->resource);
  return holders;
}

static RtcHolders holders_of_tcp_conn(const RtcTcpConn *tcp) {
  RtcHolders holders = {.connection = tcp->connection != NULL, .executor = tcp->executor != NULL};
  count_others(&holders, &tcp->resource);
  return holders;
}

static void tell_connection(const RtcConnection *connection, const RtcDebugVisitor *visitor) {
  const RtcShard *shard = connection->shard;
  const RtcDebugConnection debug = {
      .id = rtc_resource_id(&connection->resource),
      .name = connection->name ? connection->name : "",
      .ufrag = connection->ice->ufrag,
      .restart_ufrag = connection->restart ? connection->restart->ufrag : NULL,
      .state = connection->state,
      .resource_state = rtc_resource_state_name(rtc_resource_state(&connection->resource)),
      .close = connection->close,
      .age_ms = ms_since(shard, connection->made_us),
      .state_age_ms = ms_since(shard, connection->state_us),
      .tcp_conns = connection->tcp_conn_count,
      .queued_packets = rtc_send_queue_packets(&connection->send_queue),
      .holders = holders_of_connection(connection),
  };
  visitor->on_connection(&debug, visitor->arg);
}

static void tell_tcp_conn(const RtcTcpConn *tcp, const RtcDebugVisitor *visitor) {
  const RtcShard *shard = tcp->shard;
  const RtcConnection *connection = tcp->connection;
  const RtcDebugTcpConn debug = {
      .id = rtc_resource_id(&tcp->resource),
      .peer = tcp->peer_text,
      .state = tcp->state,
      .resource_state = rtc_resource_state_name(rtc_resource_state(&tcp->resource)),
      .close = tcp->close == RTC_TCP_CLOSE_COUNT ? NULL : rtc_tcp_close_name(tcp->close),
      .connection_id = connection ? rtc_resource_id(&connection->resource) : 0,
      .selected = connection && connection->selected == tcp,
      .blocked = tcp->blocked,
      .unsent_octets = rtc_frame_writer_unsent(&tcp->writer),
      .age_ms = ms_since(shard, tcp->made_us),
      .silent_ms = ms_since(shard, tcp->heard_us),
      .holders = holders_of_tcp_conn(tcp),
  };
  visitor->on_tcp_conn(&debug, visitor->arg);
}

void rtc_server_debug(const RtcServer *server, const RtcWorker *worker,
                      const RtcDebugVisitor *visitor) {
  const RtcShard *shard = rtc_server_shard_of_worker(server, worker);
  if (!shard)
    return;
  const RtcConnection *connection = visitor->on_connection ? shard->connections : NULL;
  const RtcTcpConn *tcp = visitor->on_tcp_conn ? shard->tcp_conns : NULL;
  for (; connection; connection = connection->next)
    tell_connection(connection, visitor);
  for (; tcp; tcp = tcp->next)
    tell_tcp_conn(tcp, visitor);
}
