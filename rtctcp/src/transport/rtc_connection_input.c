/* The way in: a frame of an attached TCP conn, to STUN, DTLS or SRTP, and on to who listens. */
#include "protocol/demux.h"
#include "transport/rtc_connection_internal.h"

#include <assert.h>
#include <string.h>

/* -- STUN -- */

const RtcIceCredentials *rtc_connection_credentials(const RtcConnection *connection,
                                                    const RtcStunUsername *username) {
  if (rtc_ice_credentials_match(connection->ice, username))
    return connection->ice;
  return rtc_ice_credentials_match(connection->restart, username) ? connection->restart : NULL;
}

typedef struct Lookup {
  const RtcConnection *connection;
  const RtcIceCredentials *named; /* out: borrowed; NULL: none of this session's */
} Lookup;

static bool look_up(const RtcStunUsername *username, const uint8_t **password, size_t *password_len,
                    void *arg) {
  Lookup *lookup = arg;
  lookup->named = rtc_connection_credentials(lookup->connection, username);
  if (!lookup->named)
    return false;
  *password = (const uint8_t *)lookup->named->pwd;
  *password_len = RTC_ICE_PWD_LEN;
  return true;
}

/* A controlled peer's own check says that it is alive, and nothing of which TCP conn to take. One
 * that this side has not checked yet is not put off by it. */
static void heard_request(RtcTcpConn *tcp) {
  if (tcp->state == RTC_TCP_CONN_STATE_PACKETS)
    rtc_tcp_conn_heard(tcp);
}

static void input_stun(RtcConnection *connection, RtcTcpConn *tcp, const uint8_t *packet,
                       size_t len) {
  Lookup lookup = {.connection = connection};
  RtcStunRole role = connection->active ? RTC_STUN_ROLE_CONTROLLING : RTC_STUN_ROLE_LITE;
  RtcStunOutcome outcome;
  if (connection->active && rtc_stun_is_response(packet, len)) {
    rtc_connection_answered(connection, tcp, packet, len);
    return;
  }
  rtc_stun_server_handle(connection->shard->stun, role, packet, len,
                         (const struct sockaddr *)&tcp->peer.storage, tcp->peer.len, look_up,
                         &lookup, &outcome);
  if (outcome.response_len > 0 &&
      rtc_tcp_conn_send_control(tcp, outcome.response, outcome.response_len) != RTC_OK)
    rtc_connection_drop(connection, RTC_DROP_QUEUE_FULL);
  if (outcome.result == RTC_STUN_BINDING_REQUEST && connection->active)
    heard_request(tcp);
  else if (outcome.result == RTC_STUN_BINDING_REQUEST)
    rtc_connection_bound(connection, tcp, lookup.named, &outcome);
  else if (outcome.result == RTC_STUN_REFUSED || outcome.result == RTC_STUN_IGNORED)
    rtc_connection_drop(connection, RTC_DROP_STUN);
}

/* -- DTLS -- */

void rtc_connection_dtls_output(const uint8_t *datagram, size_t len, void *arg) {
  RtcConnection *connection = arg;
  if (!connection->selected) /* it is given again when a TCP conn comes */
    return;
  if (rtc_tcp_conn_send_control(connection->selected, datagram, len) != RTC_OK)
    rtc_connection_drop(connection, RTC_DROP_QUEUE_FULL);
}

static RtcError make_srtp(RtcConnection *connection) {
  RtcSrtpKeys keys;
  RtcError error = rtc_dtls_export_keys(connection->dtls, &keys);
  if (error)
    return error;
  error = rtc_srtp_new(&connection->srtp, &keys);
  connection->stats.srtp_profile = rtc_srtp_profile_name(keys.profile);
  explicit_bzero(&keys, sizeof keys);
  return error;
}

static RtcClose close_of_failure(RtcDtlsFailure failure) {
  switch (failure) {
  case RTC_DTLS_FAILURE_FINGERPRINT:
    return RTC_CLOSE_FINGERPRINT;
  case RTC_DTLS_FAILURE_PEER_ALERT:
    return RTC_CLOSE_PEER_ALERT;
  case RTC_DTLS_FAILURE_NO_MEMORY:
    return RTC_CLOSE_NO_MEMORY;
  default:
    return RTC_CLOSE_DTLS;
  }
}

static void connected(RtcConnection *connection) {
  RtcError error = make_srtp(connection);
  if (error) {
    rtc_connection_end(connection,
                       error == RTC_ERROR_NO_MEMORY ? RTC_CLOSE_NO_MEMORY : RTC_CLOSE_DTLS);
    return;
  }
  connection->shard->stats.handshakes++;
  rtc_timer_stop(&connection->timer);
  rtc_connection_set_state(connection, RTC_CONNECTION_STATE_CONNECTED);
}

void rtc_connection_dtls_changed(RtcConnection *connection) {
  switch (rtc_dtls_state(connection->dtls)) {
  case RTC_DTLS_STATE_HANDSHAKE:
    return;
  case RTC_DTLS_STATE_CONNECTED:
    if (!connection->srtp)
      connected(connection);
    return;
  case RTC_DTLS_STATE_CLOSED:
    rtc_connection_end(connection, RTC_CLOSE_PEER);
    return;
  case RTC_DTLS_STATE_FAILED:
    rtc_connection_end(connection, close_of_failure(rtc_dtls_failure(connection->dtls)));
    return;
  }
}

static void input_dtls(RtcConnection *connection, const uint8_t *packet, size_t len) {
  if (rtc_dtls_input(connection->dtls, packet, len) == RTC_ERROR_PROTO)
    rtc_connection_drop(connection, RTC_DROP_DTLS);
  rtc_connection_dtls_changed(connection);
}

/* -- SRTP -- */

static RtcDrop drop_of(RtcError error) {
  switch (error) {
  case RTC_ERROR_AUTH:
    return RTC_DROP_SRTP_AUTH;
  case RTC_ERROR_REPLAY:
    return RTC_DROP_SRTP_REPLAY;
  case RTC_ERROR_LIMIT:
    return RTC_DROP_SSRC_LIMIT;
  case RTC_ERROR_NO_MEMORY:
    return RTC_DROP_NO_MEMORY;
  default:
    return RTC_DROP_SRTP_MALFORMED;
  }
}

static void input_srtp(RtcConnection *connection, RtcTcpConn *tcp, uint8_t *packet, size_t len,
                       bool rtcp) {
  if (!connection->srtp) {
    rtc_connection_drop(connection, RTC_DROP_EARLY_MEDIA);
    return;
  }
  RtcError error = rtcp ? rtc_srtp_unprotect_rtcp(connection->srtp, packet, &len)
                        : rtc_srtp_unprotect(connection->srtp, packet, &len);
  if (error) {
    rtc_connection_drop(connection, drop_of(error));
    return;
  }
  if (connection->stats.packets_in++ == 0)
    rtc_dtls_forget_flight(connection->dtls);
  connection->stats.octets_in += len;
  rtc_tcp_conn_heard(tcp);
  rtc_connection_brought_media(connection, tcp);
  if (rtcp)
    rtc_connection_tell_rtcp(connection, packet, len);
  else
    rtc_connection_tell_rtp(connection, packet, len);
}

void rtc_connection_input(RtcConnection *connection, RtcTcpConn *tcp, uint8_t *frame, size_t len) {
  assert(connection->state != RTC_CONNECTION_STATE_CLOSED && tcp->connection == connection);
  RtcPacketClass class = rtc_demux(frame, len);
  if (tcp->state != RTC_TCP_CONN_STATE_PACKETS && class != RTC_PACKET_CLASS_STUN) {
    rtc_connection_drop(connection, RTC_DROP_UNKNOWN_PACKET);
    return;
  }
  switch (class) {
  case RTC_PACKET_CLASS_STUN:
    input_stun(connection, tcp, frame, len);
    return;
  case RTC_PACKET_CLASS_DTLS:
    input_dtls(connection, frame, len);
    return;
  case RTC_PACKET_CLASS_RTP:
    input_srtp(connection, tcp, frame, len, false);
    return;
  case RTC_PACKET_CLASS_RTCP:
    input_srtp(connection, tcp, frame, len, true);
    return;
  case RTC_PACKET_CLASS_UNKNOWN:
    rtc_connection_drop(connection, RTC_DROP_UNKNOWN_PACKET);
    return;
  }
}
