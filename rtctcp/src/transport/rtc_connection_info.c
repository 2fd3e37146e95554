/* What a host may ask of an RtcConnection, and the names of its states, reasons and drops. */
#include "transport/rtc_connection_internal.h"

#include <string.h>

void rtc_connection_local_transport(const RtcConnection *connection, RtcSdpTransport *transport) {
  const RtcServerSettings *settings = connection->shard->settings;
  const RtcIceCredentials *ice = connection->restart ? connection->restart : connection->ice;
  memset(transport, 0, sizeof *transport);
  transport->ice_lite = true;
  memcpy(transport->ufrag, ice->ufrag, sizeof ice->ufrag);
  memcpy(transport->pwd, ice->pwd, sizeof ice->pwd);
  transport->setup =
      connection->role == RTC_DTLS_ROLE_SERVER ? RTC_SETUP_PASSIVE : RTC_SETUP_ACTIVE;
  transport->fingerprints[0] = *rtc_dtls_context_fingerprint(connection->shard->dtls);
  transport->fingerprint_count = 1;
  memcpy(transport->candidates, settings->candidates,
         settings->candidate_count * sizeof *settings->candidates);
  transport->candidate_count = settings->candidate_count;
}

RtcConnectionState rtc_connection_state(const RtcConnection *connection) {
  return connection->state;
}

RtcClose rtc_connection_close_reason(const RtcConnection *connection) {
  return connection->close;
}

uint64_t rtc_connection_id(const RtcConnection *connection) {
  return rtc_resource_id(&connection->resource);
}

static uint64_t greater(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

void rtc_connection_stats(const RtcConnection *connection, RtcConnectionStats *stats) {
  const RtcSendQueue *queue = &connection->send_queue;
  *stats = connection->stats;
  stats->tcp_conns = connection->tcp_conn_count;
  stats->queued_packets = rtc_send_queue_packets(queue);
  stats->queued_octets = queue->octets;
  stats->queue_age_us =
      (uint64_t)rtc_send_queue_age(queue, rtc_worker_now(connection->shard->worker));
  stats->queue_age_max_us = greater(stats->queue_age_max_us, stats->queue_age_us);
}

void rtc_connection_add_to(const RtcConnection *connection, RtcServerStats *totals) {
  RtcConnectionStats stats;
  rtc_connection_stats(connection, &stats);
  totals->packets_in += stats.packets_in;
  totals->octets_in += stats.octets_in;
  totals->packets_out += stats.packets_out;
  totals->octets_out += stats.octets_out;
  for (int i = 0; i < RTC_DROP_COUNT; i++) {
    totals->drops[i] += stats.drops[i];
    totals->frames_dropped[i] += stats.frames_dropped[i];
  }
  totals->queued_packets += stats.queued_packets;
  totals->queued_octets += stats.queued_octets;
  totals->queue_age_us = greater(totals->queue_age_us, stats.queue_age_us);
  totals->queue_age_max_us = greater(totals->queue_age_max_us, stats.queue_age_max_us);
}

RtcTcpConn *rtc_connection_tcp_conn(const RtcConnection *connection) {
  return connection->selected;
}

#define NAME(name, text) text,

const char *rtc_connection_state_name(RtcConnectionState state) {
  static const char *const names[] = {RTC_CONNECTION_STATE_MAP(NAME)};
  return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

const char *rtc_close_name(RtcClose close) {
  static const char *const names[] = {RTC_CLOSE_MAP(NAME)};
  return (size_t)close < sizeof names / sizeof *names ? names[close] : "unknown";
}

const char *rtc_drop_name(RtcDrop drop) {
  static const char *const names[] = {RTC_DROP_MAP(NAME)};
  return (size_t)drop < sizeof names / sizeof *names ? names[drop] : "unknown";
}
