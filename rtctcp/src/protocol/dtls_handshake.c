/* A DTLS session's handshake, on OpenSSL over records in memory. */
#include "protocol/dtls_session.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

/* OpenSSL's retransmission timer, longer than any handshake is let run [us]. */
#define TIMER_US 4000000000U

/* OpenSSL sets aside records that come before the keys which open them, up to 100 of 17 KiB each.
 * Over a reliable transport none come, so a peer gets a few at most. */
#define EARLY_RECORDS_MAX 8

static void fail(RtcDtls *dtls) {
  char text[256];
  bool alerted = rtc_dtls_library_error_is_peer_alert();
  RtcError error = rtc_dtls_library_error(text, sizeof text);
  if (dtls->mismatch)
    rtc_dtls_fail(dtls, RTC_DTLS_FAILURE_FINGERPRINT,
                  "the peer's certificate is not the signalled one");
  else if (alerted)
    rtc_dtls_fail(dtls, RTC_DTLS_FAILURE_PEER_ALERT, text);
  else if (dtls->no_memory || error == RTC_ERROR_NO_MEMORY)
    rtc_dtls_fail(dtls, RTC_DTLS_FAILURE_NO_MEMORY, text);
  else
    rtc_dtls_fail(dtls, RTC_DTLS_FAILURE_PROTOCOL, text);
}

static void send_close_notify(RtcDtls *dtls) {
  rtc_dtls_clear_library_error();
  SSL_shutdown(dtls->ssl);
  rtc_dtls_clear_library_error();
}

/* Has OpenSSL returned because of a warning only? Then it is to be called again. See on_info. */
static bool step_over_warning(RtcDtls *dtls) {
  if (!dtls->warned || ERR_peek_error() != 0)
    return false;
  dtls->warned = false;
  SSL_set_shutdown(dtls->ssl, SSL_get_shutdown(dtls->ssl) & ~SSL_RECEIVED_SHUTDOWN);
  return true;
}

/* After a call that did not succeed: is more input all that is missing? */
static void judge(RtcDtls *dtls, int result) {
  int error = SSL_get_error(dtls->ssl, result);
  if (error == SSL_ERROR_WANT_READ)
    return;
  if (error != SSL_ERROR_ZERO_RETURN) {
    fail(dtls);
    return;
  }
  RTC_LOG(dtls->log, INFO, "%s DTLS closed by the peer", dtls->tag);
  send_close_notify(dtls); /* RFC 5246 section 7.2.1 */
  rtc_dtls_set_state(dtls, RTC_DTLS_STATE_CLOSED);
}

/* ---- The end of the handshake -------------------------------------------------------------- */

/* What is needed of the SSL, so that it can go: the keys of SRTP, and of the records to come. */
static RtcError take_keys(RtcDtls *dtls) {
  RtcError error = rtc_dtls_epoch_take_keys(&dtls->epoch, dtls->ssl);
  if (error)
    return error;
  dtls->keys = calloc(1, sizeof *dtls->keys);
  return dtls->keys ? rtc_dtls_keys_of(dtls->ssl, dtls->keys) : RTC_ERROR_NO_MEMORY;
}

static void set_connected(RtcDtls *dtls) {
  RTC_LOG(dtls->log, INFO, "%s DTLS connected as %s: %s, %s", dtls->tag, rtc_dtls_role_name(dtls),
          SSL_get_cipher_name(dtls->ssl), rtc_srtp_profile_name(dtls->keys->profile));
  rtc_dtls_set_state(dtls, RTC_DTLS_STATE_CONNECTED);
  free(dtls->fingerprints);
  dtls->fingerprints = NULL;
  dtls->fingerprint_count = 0;
  /* The server's Finished, which ends a client's handshake, answers the client's last flight. */
  if (!dtls->is_server)
    rtc_dtls_forget_flight(dtls);
}

/* Records that came before their time are OpenSSL's to open. There is no data channel: application
 * data is dropped. */
static void read_early_records(RtcDtls *dtls) {
  uint8_t data[512];
  int result;
  do {
    rtc_dtls_clear_library_error();
    result = SSL_read(dtls->ssl, data, sizeof data);
  } while (result > 0 || step_over_warning(dtls));
  judge(dtls, result);
}

/* last: the record that OpenSSL was fed last; NULL: none */
static void complete(RtcDtls *dtls, const RtcDtlsRecord *last) {
  RtcError error = take_keys(dtls);
  if (error) {
    send_close_notify(dtls);
    rtc_dtls_fail(
        dtls, error == RTC_ERROR_NO_MEMORY ? RTC_DTLS_FAILURE_NO_MEMORY : RTC_DTLS_FAILURE_PROTOCOL,
        "no keys could be made");
    return;
  }
  set_connected(dtls);
  read_early_records(dtls);
  rtc_dtls_flush(dtls);
  if (rtc_dtls_is_over(dtls))
    return;
  /* Such a record has ended the handshake, so it was the Finished, and authentic. Of those set
   * aside the numbers are not known; a replay of them does nothing that they have not done. */
  if (last && last->epoch == 1 && last->type == RTC_DTLS_RECORD_HANDSHAKE)
    rtc_dtls_epoch_count_opened(&dtls->epoch, last);
  rtc_dtls_handshake_finish(dtls);
}

static void handshake(RtcDtls *dtls, const RtcDtlsRecord *last) {
  int result;
  do {
    rtc_dtls_clear_library_error();
    result = SSL_do_handshake(dtls->ssl);
  } while (result != 1 && step_over_warning(dtls));
  dtls->writes_to = &dtls->fresh;
  if (result == 1)
    complete(dtls, last);
  else
    judge(dtls, result);
}

/* ---- OpenSSL's callbacks ------------------------------------------------------------------- */

static RtcError on_write(void *arg, const uint8_t *records, size_t len) {
  RtcDtls *dtls = arg;
  rtc_dtls_epoch_count_sealed(&dtls->epoch, records, len);
  RtcError error = rtc_dtls_flight_append(dtls->writes_to, records, len);
  dtls->no_memory = dtls->no_memory || error == RTC_ERROR_NO_MEMORY;
  return error;
}

/* OpenSSL 3.0 reads a warning of DTLS again and again, until it takes it for too many. As if the
 * peer had closed, it drops the record and returns; step_over_warning takes that back. */
static void on_info(const SSL *ssl, int where, int alert) {
  RtcDtls *dtls = SSL_get_app_data(ssl);
  if (where != SSL_CB_READ_ALERT)
    return;
  dtls->warned = alert >> 8 == SSL3_AL_WARNING && (alert & 0xFF) != SSL_AD_CLOSE_NOTIFY;
  if (!dtls->warned)
    return;
  RTC_LOG(dtls->log, DEBUG, "%s DTLS warning of the peer: %s; it is ignored", dtls->tag,
          SSL_alert_desc_string_long(alert));
  SSL_set_shutdown(dtls->ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

/* An alert is about to go out, and perhaps because memory is out: see rtc_dtls_clear_library_error.
 * With the write OpenSSL sets errno to 0, and the alert says "decode error" or "internal error". */
static void on_message(int is_written, int version, int type, const void *data, size_t len,
                       SSL *ssl, void *arg) {
  RtcDtls *dtls = arg;
  const uint8_t *header = data;
  (void)version;
  (void)ssl;
  if (is_written && type == SSL3_RT_HEADER && len > 0 && header[0] == SSL3_RT_ALERT)
    dtls->no_memory = dtls->no_memory || errno == ENOMEM;
}

static void drop_copies(RtcDtls *dtls) {
  for (size_t i = 0; i < RTC_DTLS_COPIES_MAX; i++)
    rtc_dtls_flight_finish(&dtls->copies[i]);
  dtls->copy_count = dtls->copy_at = 0;
}

/* OpenSSL asks for the time to wait when a flight begins, and when the time is over, which it sees
 * at its next read, before it sends the flight again. Without any time the copies are made at once.
 */
static unsigned on_timer(SSL *ssl, unsigned timeout_us) {
  RtcDtls *dtls = SSL_get_app_data(ssl);
  (void)timeout_us;
  if (dtls->is_server || dtls->last.len == 0)
    return TIMER_US;
  if (dtls->fresh.len == 0) { /* after a HelloVerifyRequest it is another one */
    drop_copies(dtls);
    return 0;
  }
  dtls->writes_to = &dtls->copies[dtls->copy_count++];
  return dtls->copy_count < RTC_DTLS_COPIES_MAX ? 0 : TIMER_US;
}

/* Runs in every handshake, in both roles, after the hellos: the peer must prove who it is, and no
 * session is ever resumed. So it is the place to ask for an SRTP profile as well. */
int rtc_dtls_verify_peer(X509_STORE_CTX *store, void *arg) {
  (void)arg;
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  RtcDtls *dtls = SSL_get_app_data(ssl);
  const X509 *certificate = X509_STORE_CTX_get0_cert(store);
  RtcError error =
      rtc_dtls_fingerprints_match(dtls->fingerprints, dtls->fingerprint_count, certificate);
  if (error == RTC_ERROR_NO_MEMORY) {
    dtls->no_memory = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM); /* alert internal_error */
    return 0;
  }
  if (error) {
    dtls->mismatch = true;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED); /* alert bad_certificate */
    return 0;
  }
  if (rtc_dtls_selected_profile(ssl) == RTC_SRTP_PROFILE_NONE) {
    RTC_LOG(dtls->log, WARN, "%s the peer has no SRTP profile of ours", dtls->tag);
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION); /* handshake_failure */
    return 0;
  }
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

/* ---- The session's calls ------------------------------------------------------------------- */

RtcError rtc_dtls_handshake_init(RtcDtls *dtls, const RtcDtlsContext *context) {
  dtls->ends = (RtcDtlsBio){.write = on_write, .arg = dtls};
  dtls->writes_to = &dtls->fresh;
  rtc_dtls_clear_library_error();
  dtls->ssl = SSL_new(context->ssl_ctx);
  BIO *bio = rtc_dtls_bio_new(context->bio_method, &dtls->ends);
  if (!dtls->ssl || !bio || !SSL_set_app_data(dtls->ssl, dtls)) {
    BIO_free(bio);
    char text[256];
    RtcError error = rtc_dtls_library_error(text, sizeof text);
    RTC_LOG(dtls->log, ERROR, "%s no DTLS session could be made: %s", dtls->tag, text);
    return error;
  }
  SSL_set_bio(dtls->ssl, bio, bio);
  SSL_set_info_callback(dtls->ssl, on_info);
  SSL_set_msg_callback(dtls->ssl, on_message);
  SSL_set_msg_callback_arg(dtls->ssl, dtls);
  SSL_set_mtu(dtls->ssl, (long)RTC_DTLS_DATAGRAM_MAX);
  DTLS_set_timer_cb(dtls->ssl, on_timer);
  if (dtls->is_server)
    SSL_set_accept_state(dtls->ssl);
  else
    SSL_set_connect_state(dtls->ssl);
  return RTC_OK;
}

void rtc_dtls_handshake_finish(RtcDtls *dtls) {
  SSL_free(dtls->ssl);
  dtls->ssl = NULL;
}

void rtc_dtls_handshake_start(RtcDtls *dtls) {
  handshake(dtls, NULL);
}

/* Would OpenSSL set this record aside? */
static bool is_early(const RtcDtls *dtls, const RtcDtlsRecord *record) {
  if (record->epoch == 0)
    return false;
  OSSL_HANDSHAKE_STATE awaited = SSL_get_state(dtls->ssl);
  bool has_keys = awaited == TLS_ST_SR_CHANGE || awaited == TLS_ST_CR_CHANGE;
  return !has_keys || record->epoch > 1 || record->type != RTC_DTLS_RECORD_HANDSHAKE;
}

void rtc_dtls_handshake_input(RtcDtls *dtls, const RtcDtlsRecord *record, const uint8_t *data) {
  if (record->epoch > 0 && rtc_dtls_epoch_is_too_short(dtls->ssl, record))
    return;
  if (is_early(dtls, record) && ++dtls->early_count > EARLY_RECORDS_MAX)
    return;
  dtls->taken = true;
  dtls->ends.input = data;
  dtls->ends.input_len = record->len;
  handshake(dtls, record);
  dtls->ends.input = NULL;
}
