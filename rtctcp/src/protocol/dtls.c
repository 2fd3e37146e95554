/* A DTLS session: the handshake, then alerts, on OpenSSL over records in memory. */
#include "protocol/dtls.h"

#include "protocol/dtls_flight.h"
#include "protocol/dtls_internal.h"
#include "protocol/dtls_record.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* OpenSSL's retransmission timer, longer than any handshake is let run [us]. */
#define TIMER_US 4000000000U

/* OpenSSL sets aside records that come before the keys which open them, up to 100 of 17 KiB each.
 * Over a reliable transport none come, so a peer gets a few at most. */
#define EARLY_RECORDS_MAX 8

/* Of a sealed record in a handshake: with AES-GCM, an explicit nonce and a tag (RFC 5288 section
 * 3); with ChaCha20-Poly1305 a tag, and Finished, which is longer [octets]. */
#define SEALED_LEN_MIN ((size_t)24)

/* Of a client's last flight. A server that has it, and whose answer was lost, has no timer any
 * more: it answers a Finished that it sees again (RFC 6347 section 4.2.4), but drops records whose
 * numbers it has seen. So this flight is sent again under new numbers, and only OpenSSL can seal it
 * so. */
#define COPIES_MAX 2

struct RtcDtls {
  SSL *ssl; /* owned; NULL when CLOSED or FAILED */
  RtcDtlsBio ends;
  RtcDtlsState state;
  RtcDtlsFailure failure;
  bool mismatch;        /* the peer's certificate has been seen, and is not a signalled one */
  bool no_memory;       /* was seen in one of OpenSSL's callbacks here */
  bool taken;           /* OpenSSL has made use of what it was fed */
  bool warned;          /* by an alert that is not the end; see on_info */
  unsigned early_count; /* records that OpenSSL may have set aside */
  RtcDtlsFlight fresh;  /* what OpenSSL has written and is not given out yet */
  RtcDtlsFlight last;   /* the last flight, which the peer may not have */
  RtcDtlsFlight copies[COPIES_MAX]; /* of it, under new numbers; see on_timer */
  size_t copy_count, copy_at;       /* made, used up */
  RtcDtlsFlight *writes_to;         /* borrowed: fresh, or a copy while it is made */
  RtcFingerprint *fingerprints;     /* owned: the peer's, of one hash */
  size_t fingerprint_count;
  RtcDtlsCallbacks callbacks;
  const RtcLog *log; /* borrowed */
  char *tag;         /* owned */
};

const char *rtc_dtls_state_name(RtcDtlsState state) {
  switch (state) {
#define STATE_NAME(name, text)                                                                     \
  case RTC_DTLS_STATE_##name:                                                                      \
    return text;
    RTC_DTLS_STATE_MAP(STATE_NAME)
#undef STATE_NAME
  }
  return "unknown";
}

/* ---- The end of OpenSSL's part ------------------------------------------------------------- */

static void set_state(RtcDtls *dtls, RtcDtlsState state) {
  assert(dtls->state == RTC_DTLS_STATE_HANDSHAKE || state > RTC_DTLS_STATE_CONNECTED);
  assert(dtls->state <= RTC_DTLS_STATE_CONNECTED);
  RTC_LOG(dtls->log, DEBUG, "%s DTLS %s -> %s", dtls->tag, rtc_dtls_state_name(dtls->state),
          rtc_dtls_state_name(state));
  dtls->state = state;
}

static bool is_over(const RtcDtls *dtls) {
  return dtls->state > RTC_DTLS_STATE_CONNECTED;
}

static const char *role_name(const RtcDtls *dtls) {
  return SSL_is_server(dtls->ssl) ? "server" : "client";
}

static void fail(RtcDtls *dtls) {
  char text[256];
  bool alerted = rtc_dtls_library_error_is_peer_alert();
  RtcError error = rtc_dtls_library_error(text, sizeof text);
  if (dtls->mismatch)
    dtls->failure = RTC_DTLS_FAILURE_FINGERPRINT;
  else if (alerted)
    dtls->failure = RTC_DTLS_FAILURE_PEER_ALERT;
  else if (dtls->no_memory || error == RTC_ERROR_NO_MEMORY)
    dtls->failure = RTC_DTLS_FAILURE_NO_MEMORY;
  else
    dtls->failure = RTC_DTLS_FAILURE_PROTOCOL;
  RTC_LOG(dtls->log, WARN, "%s DTLS failed as %s: %s; the session ends", dtls->tag, role_name(dtls),
          dtls->mismatch ? "the peer's certificate is not the signalled one" : text);
  set_state(dtls, RTC_DTLS_STATE_FAILED);
}

/* A DTLS write takes buffers for granted that SSL_free_buffers has given back; a read, even of
 * nothing, makes them anew. */
static bool ensure_buffers(RtcDtls *dtls) {
  uint8_t none;
  rtc_dtls_clear_library_error();
  int result = SSL_read(dtls->ssl, &none, sizeof none);
  return result > 0 || SSL_get_error(dtls->ssl, result) == SSL_ERROR_WANT_READ;
}

static void send_close_notify(RtcDtls *dtls) {
  rtc_dtls_clear_library_error();
  SSL_shutdown(dtls->ssl);
  rtc_dtls_clear_library_error();
}

static void end_by_peer(RtcDtls *dtls) {
  RTC_LOG(dtls->log, INFO, "%s DTLS closed by the peer", dtls->tag);
  send_close_notify(dtls); /* RFC 5246 section 7.2.1 */
  set_state(dtls, RTC_DTLS_STATE_CLOSED);
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
  if (error == SSL_ERROR_ZERO_RETURN)
    end_by_peer(dtls);
  else
    fail(dtls);
}

static void set_connected(RtcDtls *dtls) {
  RTC_LOG(dtls->log, INFO, "%s DTLS connected as %s: %s, %s", dtls->tag, role_name(dtls),
          SSL_get_cipher_name(dtls->ssl),
          rtc_srtp_profile_name(rtc_dtls_selected_profile(dtls->ssl)));
  set_state(dtls, RTC_DTLS_STATE_CONNECTED);
  free(dtls->fingerprints);
  dtls->fingerprints = NULL;
  dtls->fingerprint_count = 0;
  /* The server's Finished, which ends a client's handshake, answers the client's last flight. */
  if (!SSL_is_server(dtls->ssl))
    rtc_dtls_forget_flight(dtls);
}

static void handshake(RtcDtls *dtls) {
  int result;
  do {
    rtc_dtls_clear_library_error();
    result = SSL_do_handshake(dtls->ssl);
  } while (result != 1 && step_over_warning(dtls));
  dtls->writes_to = &dtls->fresh;
  if (result == 1)
    set_connected(dtls);
  else
    judge(dtls, result);
}

/* There is no data channel: application data is read for its alerts, and dropped. */
static void discard_data(RtcDtls *dtls) {
  uint8_t data[512];
  int result;
  do {
    rtc_dtls_clear_library_error();
    result = SSL_read(dtls->ssl, data, sizeof data);
    if (result > 0) {
      dtls->taken = true;
      rtc_dtls_forget_flight(dtls); /* only a peer that is done sends data */
    }
  } while (result > 0 || step_over_warning(dtls));
  judge(dtls, result);
}

/* Gives out what OpenSSL has written, and keeps it if it is a flight. */
static void flush(RtcDtls *dtls) {
  if (dtls->fresh.len == 0)
    return;
  dtls->taken = true;
  rtc_dtls_flight_output(&dtls->fresh, &dtls->callbacks);
  bool keep = rtc_dtls_flight_is_handshake(&dtls->fresh) && !is_over(dtls);
  if (keep)
    rtc_dtls_flight_replace(&dtls->last, &dtls->fresh);
  else
    rtc_dtls_flight_finish(&dtls->fresh);
}

/* A session that is over needs its SSL no more, one that is connected not its buffers. */
static void release(RtcDtls *dtls) {
  if (is_over(dtls)) {
    SSL_free(dtls->ssl);
    dtls->ssl = NULL;
    rtc_dtls_forget_flight(dtls);
  } else if (dtls->state == RTC_DTLS_STATE_CONNECTED) {
    SSL_free_buffers(dtls->ssl);
  }
}

/* ---- OpenSSL's callbacks ------------------------------------------------------------------- */

static RtcError on_write(void *arg, const uint8_t *records, size_t len) {
  RtcDtls *dtls = arg;
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
  dtls->taken = true;
  dtls->warned = alert >> 8 == SSL3_AL_WARNING && (alert & 0xFF) != SSL_AD_CLOSE_NOTIFY;
  if (!dtls->warned)
    return;
  RTC_LOG(dtls->log, DEBUG, "%s DTLS warning of the peer: %s; it is ignored", dtls->tag,
          SSL_alert_desc_string_long(alert));
  SSL_set_shutdown(dtls->ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

static void drop_copies(RtcDtls *dtls) {
  for (size_t i = 0; i < COPIES_MAX; i++)
    rtc_dtls_flight_finish(&dtls->copies[i]);
  dtls->copy_count = dtls->copy_at = 0;
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

/* OpenSSL asks for the time to wait when a flight begins, and when the time is over, which it sees
 * at its next read, before it sends the flight again. Without any time the copies are made at once.
 */
static unsigned on_timer(SSL *ssl, unsigned timeout_us) {
  RtcDtls *dtls = SSL_get_app_data(ssl);
  (void)timeout_us;
  if (SSL_is_server(ssl) || dtls->last.len == 0)
    return TIMER_US;
  if (dtls->fresh.len == 0) { /* after a HelloVerifyRequest it is another one */
    drop_copies(dtls);
    return 0;
  }
  dtls->writes_to = &dtls->copies[dtls->copy_count++];
  return dtls->copy_count < COPIES_MAX ? 0 : TIMER_US;
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

/* ---- A session ----------------------------------------------------------------------------- */

static RtcError make_ssl(RtcDtls *dtls, const RtcDtlsContext *context, RtcDtlsRole role) {
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
  if (role == RTC_DTLS_ROLE_SERVER)
    SSL_set_accept_state(dtls->ssl);
  else
    SSL_set_connect_state(dtls->ssl);
  return RTC_OK;
}

RtcError rtc_dtls_new(RtcDtls **dtls, const RtcDtlsContext *context, RtcDtlsRole role,
                      const RtcFingerprint *fingerprints, size_t count,
                      const RtcDtlsCallbacks *callbacks, const RtcLog *log, const char *tag) {
  RtcError error = RTC_ERROR_NO_MEMORY;
  RtcDtls *made = calloc(1, sizeof *made);
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  made->ends = (RtcDtlsBio){.write = on_write, .arg = made};
  made->writes_to = &made->fresh;
  made->callbacks = *callbacks;
  made->log = log;
  made->tag = strdup(tag);
  made->fingerprints = calloc(count ? count : 1, sizeof *made->fingerprints);
  if (!made->tag || !made->fingerprints)
    goto destroy;
  made->fingerprint_count = rtc_dtls_fingerprints_choose(made->fingerprints, fingerprints, count);
  error = RTC_ERROR_INVALID_ARGUMENT;
  if (made->fingerprint_count == 0)
    goto destroy;
  error = make_ssl(made, context, role);
  if (error)
    goto destroy;
  *dtls = made;
  return RTC_OK;

destroy:
  rtc_dtls_destroy(made);
  return error;
}

void rtc_dtls_destroy(RtcDtls *dtls) {
  if (!dtls)
    return;
  SSL_free(dtls->ssl);
  rtc_dtls_flight_finish(&dtls->fresh);
  rtc_dtls_forget_flight(dtls);
  free(dtls->fingerprints);
  free(dtls->tag);
  free(dtls);
}

void rtc_dtls_start(RtcDtls *dtls) {
  if (dtls->state != RTC_DTLS_STATE_HANDSHAKE || SSL_is_server(dtls->ssl))
    return;
  handshake(dtls);
  flush(dtls);
  release(dtls);
}

/* Would OpenSSL set this record aside? */
static bool is_early(const RtcDtls *dtls, const RtcDtlsRecord *record) {
  if (dtls->state != RTC_DTLS_STATE_HANDSHAKE || record->epoch == 0)
    return false;
  OSSL_HANDSHAKE_STATE awaited = SSL_get_state(dtls->ssl);
  bool has_keys = awaited == TLS_ST_SR_CHANGE || awaited == TLS_ST_CR_CHANGE;
  return !has_keys || record->epoch > 1 || record->type != RTC_DTLS_RECORD_HANDSHAKE;
}

/* OpenSSL 3.0.19 drops a record that is too short to be sealed, but fails the handshake for one
 * that it has set aside. */
static bool is_too_short(const RtcDtls *dtls, const RtcDtlsRecord *record) {
  return dtls->state == RTC_DTLS_STATE_HANDSHAKE && record->epoch > 0 &&
         record->len < RTC_DTLS_RECORD_HEADER_LEN + SEALED_LEN_MIN;
}

static void input_record(RtcDtls *dtls, const RtcDtlsRecord *record, const uint8_t *data) {
  if (is_too_short(dtls, record))
    return;
  if (is_early(dtls, record) && ++dtls->early_count > EARLY_RECORDS_MAX)
    return;
  dtls->ends.input = data;
  dtls->ends.input_len = record->len;
  if (dtls->state == RTC_DTLS_STATE_HANDSHAKE) {
    dtls->taken = true;
    handshake(dtls);
  }
  if (dtls->state == RTC_DTLS_STATE_CONNECTED)
    discard_data(dtls);
  dtls->ends.input = NULL;
}

RtcError rtc_dtls_input(RtcDtls *dtls, const uint8_t *datagram, size_t len) {
  RtcDtlsRecord record;
  if (is_over(dtls))
    return RTC_ERROR_CLOSED;
  dtls->taken = false;
  for (size_t at = 0; at < len && !is_over(dtls); at += record.len) {
    if (rtc_dtls_record_parse(&record, datagram + at, len - at) != RTC_OK)
      break;
    input_record(dtls, &record, datagram + at);
  }
  flush(dtls);
  release(dtls);
  if (is_over(dtls))
    return RTC_ERROR_CLOSED;
  return dtls->taken ? RTC_OK : RTC_ERROR_PROTO;
}

void rtc_dtls_resend(RtcDtls *dtls) {
  if (dtls->copy_at < dtls->copy_count)
    rtc_dtls_flight_replace(&dtls->last, &dtls->copies[dtls->copy_at++]);
  rtc_dtls_flight_output(&dtls->last, &dtls->callbacks);
}

void rtc_dtls_forget_flight(RtcDtls *dtls) {
  rtc_dtls_flight_finish(&dtls->last);
  drop_copies(dtls);
}

void rtc_dtls_close(RtcDtls *dtls) {
  if (is_over(dtls))
    return;
  if (dtls->state == RTC_DTLS_STATE_CONNECTED && ensure_buffers(dtls))
    send_close_notify(dtls);
  set_state(dtls, RTC_DTLS_STATE_CLOSED);
  flush(dtls);
  release(dtls);
}

RtcDtlsState rtc_dtls_state(const RtcDtls *dtls) {
  return dtls->state;
}

RtcDtlsFailure rtc_dtls_failure(const RtcDtls *dtls) {
  return dtls->failure;
}

RtcError rtc_dtls_export_keys(const RtcDtls *dtls, RtcSrtpKeys *keys) {
  if (dtls->state != RTC_DTLS_STATE_CONNECTED)
    return RTC_ERROR_INVALID_STATE;
  rtc_dtls_clear_library_error();
  return rtc_dtls_keys_of(dtls->ssl, keys);
}
