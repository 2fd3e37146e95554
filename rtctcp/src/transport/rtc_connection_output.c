/* The way out: streams, and packets on their way to the selected TCP conn. */
#include "transport/rtc_connection_internal.h"

#include <string.h>

static bool can_send(const RtcConnection *connection) {
  return connection->state == RTC_CONNECTION_STATE_CONNECTED && connection->selected;
}

RtcError rtc_connection_add_stream(RtcStream **stream, RtcConnection *connection,
                                   const RtcStreamConfig *config) {
  if (connection->state == RTC_CONNECTION_STATE_CLOSED)
    return RTC_ERROR_CLOSED;
  return rtc_send_queue_add_stream(&connection->send_queue, config, stream);
}

void rtc_connection_remove_stream(RtcConnection *connection, RtcStream **slot) {
  RtcStream *stream = *slot;
  *slot = NULL;
  if (!stream || rtc_resource_state(&connection->resource) == RTC_RESOURCE_STATE_DISPOSED)
    return;
  if (connection->srtp)
    rtc_srtp_remove_send_ssrc(connection->srtp, stream->config.ssrc);
  rtc_send_queue_remove_stream(&connection->send_queue, stream);
}

RtcError rtc_connection_send_rtp(RtcConnection *connection, RtcStream *stream, RtcPacket *packet,
                                 unsigned flags, uint32_t timestamp_offset) {
  if (connection->state == RTC_CONNECTION_STATE_CLOSED)
    return RTC_ERROR_CLOSED;
  if (!can_send(connection)) {
    rtc_connection_drop(connection, RTC_DROP_NOT_CONNECTED);
    return RTC_OK;
  }
  RtcError error = rtc_send_queue_rtp(&connection->send_queue, stream, packet, flags,
                                      timestamp_offset, rtc_worker_now(connection->shard->worker));
  if (connection->selected && !rtc_send_queue_empty(&connection->send_queue))
    rtc_tcp_conn_want_flush(connection->selected);
  return error;
}

RtcError rtc_connection_send_rtcp(RtcConnection *connection, const uint8_t *packet, size_t len) {
  if (connection->state == RTC_CONNECTION_STATE_CLOSED)
    return RTC_ERROR_CLOSED;
  if (len < 8 || packet[0] >> 6 != 2)
    return RTC_ERROR_PROTO;
  if (len > RTC_SEND_RTCP_MAX)
    return RTC_ERROR_LIMIT;
  if (!can_send(connection)) {
    rtc_connection_drop(connection, RTC_DROP_NOT_CONNECTED);
    return RTC_OK;
  }
  RtcPacket *copy;
  RtcError error = rtc_packet_new(&copy, packet, len);
  if (error)
    return error;
  error =
      rtc_send_queue_rtcp(&connection->send_queue, copy, rtc_worker_now(connection->shard->worker));
  rtc_packet_unref(&copy);
  rtc_tcp_conn_want_flush(connection->selected);
  return error;
}

size_t rtc_connection_fill(RtcConnection *connection, const RtcTcpConn *tcp, uint8_t *out,
                           size_t cap) {
  RtcSendFill fill;
  if (connection->selected != tcp || !can_send(connection))
    return 0;
  rtc_send_queue_fill(&connection->send_queue, connection->srtp,
                      rtc_worker_now(connection->shard->worker), out, cap, &fill);
  connection->stats.packets_out += fill.packets;
  connection->stats.octets_out += fill.octets;
  return fill.len;
}
