/* A DTLS session: its calls, its states, and the flights that it keeps. */
#include "protocol/dtls.h"

#include "protocol/dtls_session.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- For the session's other files --------------------------------------------------------- */

void rtc_dtls_set_state(RtcDtls *dtls, RtcDtlsState state) {
  assert(dtls->state == RTC_DTLS_STATE_HANDSHAKE || state > RTC_DTLS_STATE_CONNECTED);
  assert(dtls->state <= RTC_DTLS_STATE_CONNECTED);
  RTC_LOG(dtls->log, DEBUG, "%s DTLS %s -> %s", dtls->tag, rtc_dtls_state_name(dtls->state),
          rtc_dtls_state_name(state));
  dtls->state = state;
}

bool rtc_dtls_is_over(const RtcDtls *dtls) {
  return dtls->state > RTC_DTLS_STATE_CONNECTED;
}

const char *rtc_dtls_role_name(const RtcDtls *dtls) {
  return dtls->is_server ? "server" : "client";
}

void rtc_dtls_fail(RtcDtls *dtls, RtcDtlsFailure failure, const char *text) {
  dtls->failure = failure;
  RTC_LOG(dtls->log, WARN, "%s DTLS failed as %s: %s; the session ends", dtls->tag,
          rtc_dtls_role_name(dtls), text);
  rtc_dtls_set_state(dtls, RTC_DTLS_STATE_FAILED);
}

void rtc_dtls_flush(RtcDtls *dtls) {
  if (dtls->fresh.len == 0)
    return;
  dtls->taken = true;
  rtc_dtls_flight_output(&dtls->fresh, &dtls->callbacks);
  if (rtc_dtls_flight_is_handshake(&dtls->fresh) && !rtc_dtls_is_over(dtls))
    rtc_dtls_flight_replace(&dtls->last, &dtls->fresh);
  else
    rtc_dtls_flight_finish(&dtls->fresh);
}

/* ---- A session ----------------------------------------------------------------------------- */

static void wipe_keys(RtcDtls *dtls) {
  if (dtls->keys)
    OPENSSL_cleanse(dtls->keys, sizeof *dtls->keys);
  free(dtls->keys);
  dtls->keys = NULL;
}

/* A session that is over keeps no secret, and nothing of size. */
static void release_if_over(RtcDtls *dtls) {
  if (!rtc_dtls_is_over(dtls))
    return;
  rtc_dtls_handshake_finish(dtls);
  rtc_dtls_forget_flight(dtls);
  rtc_dtls_epoch_finish(&dtls->epoch);
  wipe_keys(dtls);
}

RtcError rtc_dtls_new(RtcDtls **dtls, const RtcDtlsContext *context, RtcDtlsRole role,
                      const RtcFingerprint *fingerprints, size_t count,
                      const RtcDtlsCallbacks *callbacks, const RtcLog *log, const char *tag) {
  RtcError error = RTC_ERROR_NO_MEMORY;
  RtcDtls *made = calloc(1, sizeof *made);
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  made->is_server = role == RTC_DTLS_ROLE_SERVER;
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
  error = rtc_dtls_handshake_init(made, context);
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
  rtc_dtls_handshake_finish(dtls);
  rtc_dtls_flight_finish(&dtls->fresh);
  rtc_dtls_forget_flight(dtls);
  rtc_dtls_epoch_finish(&dtls->epoch);
  wipe_keys(dtls);
  free(dtls->fingerprints);
  free(dtls->tag);
  free(dtls);
}

void rtc_dtls_start(RtcDtls *dtls) {
  if (dtls->state != RTC_DTLS_STATE_HANDSHAKE || dtls->is_server)
    return;
  rtc_dtls_handshake_start(dtls);
  rtc_dtls_flush(dtls);
  release_if_over(dtls);
}

RtcError rtc_dtls_input(RtcDtls *dtls, const uint8_t *datagram, size_t len) {
  RtcDtlsRecord record;
  if (rtc_dtls_is_over(dtls))
    return RTC_ERROR_CLOSED;
  dtls->taken = false;
  for (size_t at = 0; at < len && !rtc_dtls_is_over(dtls); at += record.len) {
    if (rtc_dtls_record_parse(&record, datagram + at, len - at) != RTC_OK)
      break;
    if (dtls->state == RTC_DTLS_STATE_HANDSHAKE)
      rtc_dtls_handshake_input(dtls, &record, datagram + at);
    else
      rtc_dtls_connected_input(dtls, &record, datagram + at);
  }
  rtc_dtls_flush(dtls);
  rtc_dtls_connected_answer(dtls);
  release_if_over(dtls);
  if (rtc_dtls_is_over(dtls))
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
  for (size_t i = 0; i < RTC_DTLS_COPIES_MAX; i++)
    rtc_dtls_flight_finish(&dtls->copies[i]);
  dtls->copy_count = dtls->copy_at = 0;
}

void rtc_dtls_close(RtcDtls *dtls) {
  if (rtc_dtls_is_over(dtls))
    return;
  if (dtls->state == RTC_DTLS_STATE_CONNECTED)
    rtc_dtls_connected_say_closed(dtls);
  rtc_dtls_set_state(dtls, RTC_DTLS_STATE_CLOSED);
  release_if_over(dtls);
}

RtcDtlsState rtc_dtls_state(const RtcDtls *dtls) {
  return dtls->state;
}

RtcDtlsFailure rtc_dtls_failure(const RtcDtls *dtls) {
  return dtls->failure;
}

RtcError rtc_dtls_export_keys(RtcDtls *dtls, RtcSrtpKeys *keys) {
  if (dtls->state != RTC_DTLS_STATE_CONNECTED || !dtls->keys)
    return RTC_ERROR_INVALID_STATE;
  *keys = *dtls->keys;
  wipe_keys(dtls);
  return RTC_OK;
}
