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
  if (connection->active)
    rtc_connection_describe_active(connection, transport);
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

void rtc_connection_stats(const RtcConnection *connection, RtcConnectionStats *stats) {
  *stats = connection->stats;
  stats->tcp_conns = connection->tcp_conn_count;
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
