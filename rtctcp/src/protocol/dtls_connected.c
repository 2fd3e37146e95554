/* A DTLS session after its handshake: alerts are understood and sent, a lost last flight is given
 * again, and the rest is passed over. */
#include "base/octets.h"
#include "protocol/dtls_session.h"

/* RFC 6347 section 4.2.2: type, length, sequence number, then the fragment's offset. */
#define MESSAGE_HEADER_LEN 12
#define FRAGMENT_OFFSET_AT 6

/* Out of memory it is not sent, and the session goes on as if it had been lost. */
static void send_alert(RtcDtls *dtls, uint8_t level, uint8_t description) {
  uint8_t record[RTC_DTLS_EPOCH_ALERT_MAX];
  size_t len;
  if (rtc_dtls_epoch_seal_alert(&dtls->epoch, level, description, record, &len) != RTC_OK) {
    RTC_LOG(dtls->log, WARN, "%s DTLS alert %u can't be sealed; it is not sent", dtls->tag,
            description);
    return;
  }
  dtls->callbacks.output(record, len, dtls->callbacks.arg);
}

void rtc_dtls_connected_say_closed(RtcDtls *dtls) {
  send_alert(dtls, SSL3_AL_WARNING, SSL_AD_CLOSE_NOTIFY);
}

/* A peer that has the keys, and breaks the protocol. */
static void refuse(RtcDtls *dtls, uint8_t description, const char *text) {
  send_alert(dtls, SSL3_AL_FATAL, description);
  rtc_dtls_fail(dtls, RTC_DTLS_FAILURE_PROTOCOL, text);
}

/* RFC 5246 section 7.2 */
static void take_alert(RtcDtls *dtls, const RtcDtlsOpened *alert) {
  uint8_t level = alert->head[0], description = alert->head[1];
  if (alert->len != 2) {
    refuse(dtls, SSL_AD_DECODE_ERROR, "an alert of the peer has no level and description");
  } else if (level == SSL3_AL_FATAL) {
    rtc_dtls_fail(dtls, RTC_DTLS_FAILURE_PEER_ALERT, SSL_alert_desc_string_long(description));
  } else if (level != SSL3_AL_WARNING) {
    refuse(dtls, SSL_AD_ILLEGAL_PARAMETER, "an alert of the peer is of no known level");
  } else if (description == SSL_AD_CLOSE_NOTIFY) {
    RTC_LOG(dtls->log, INFO, "%s DTLS closed by the peer", dtls->tag);
    rtc_dtls_connected_say_closed(dtls); /* RFC 5246 section 7.2.1 */
    rtc_dtls_set_state(dtls, RTC_DTLS_STATE_CLOSED);
  } else {
    RTC_LOG(dtls->log, DEBUG, "%s DTLS warning of the peer: %s; it is ignored", dtls->tag,
            SSL_alert_desc_string_long(description));
  }
}

/* A new handshake is declined, once a datagram (RFC 5246 section 7.2.2). */
static void decline(RtcDtls *dtls) {
  if (dtls->declined)
    return;
  dtls->declined = true;
  RTC_LOG(dtls->log, DEBUG, "%s DTLS: the peer asks for a new handshake; it is declined",
          dtls->tag);
  send_alert(dtls, SSL3_AL_WARNING, SSL_AD_NO_RENEGOTIATION);
}

/* A client that repeats its Finished lacks our last flight (RFC 6347 section 4.2.4). A server that
 * does answers a copy of our last flight. */
static void take_message(RtcDtls *dtls, const RtcDtlsOpened *message) {
  if (message->len < MESSAGE_HEADER_LEN || rtc_read_u24(message->head + FRAGMENT_OFFSET_AT) != 0)
    return;
  switch (message->head[0]) {
  case SSL3_MT_FINISHED:
    dtls->finished_again = dtls->is_server;
    return;
  case SSL3_MT_CLIENT_HELLO:
    if (dtls->is_server)
      decline(dtls);
    return;
  case SSL3_MT_HELLO_REQUEST:
    if (!dtls->is_server)
      decline(dtls);
    return;
  default:
    return;
  }
}

void rtc_dtls_connected_input(RtcDtls *dtls, const RtcDtlsRecord *record, const uint8_t *data) {
  RtcDtlsOpened opened;
  RtcError error = rtc_dtls_epoch_open(&dtls->epoch, record, data, &opened);
  if (error == RTC_ERROR_NO_MEMORY) /* it might have been the peer's last word */
    rtc_dtls_fail(dtls, RTC_DTLS_FAILURE_NO_MEMORY, "a record can't be opened");
  if (error)
    return;
  dtls->taken = true;
  switch (record->type) {
  case RTC_DTLS_RECORD_ALERT:
    take_alert(dtls, &opened);
    return;
  case RTC_DTLS_RECORD_HANDSHAKE:
    take_message(dtls, &opened);
    return;
  case RTC_DTLS_RECORD_APPLICATION_DATA: /* there is no data channel */
    rtc_dtls_forget_flight(dtls);        /* only a peer that is done sends data */
    return;
  case RTC_DTLS_RECORD_CHANGE_CIPHER_SPEC: /* there is no handshake that it would be of */
    return;
  }
}

void rtc_dtls_connected_answer(RtcDtls *dtls) {
  if (dtls->finished_again)
    rtc_dtls_flight_output(&dtls->last, &dtls->callbacks);
  dtls->finished_again = dtls->declined = false;
}
