/* One DTLS session, as its files share it: dtls.c has the calls from outside, dtls_handshake.c the
 * handshake on an SSL, dtls_connected.c what follows without one. */
#ifndef RTC_PROTOCOL_DTLS_SESSION_H
#define RTC_PROTOCOL_DTLS_SESSION_H

#include "protocol/dtls_epoch.h"
#include "protocol/dtls_flight.h"
#include "protocol/dtls_internal.h"

/* Of a client's last flight. A server that has it, and whose answer was lost, has no timer any
 * more: it answers a Finished that it sees again (RFC 6347 section 4.2.4), but drops records whose
 * numbers it has seen. So this flight is sent again under new numbers, and only OpenSSL can seal it
 * so. */
#define RTC_DTLS_COPIES_MAX 2

struct RtcDtls {
  RtcDtlsState state;
  RtcDtlsFailure failure;
  bool is_server;
  bool taken; /* something in the datagram that is being read was made use of */

  SSL *ssl; /* owned; NULL when no longer in HANDSHAKE */
  RtcDtlsBio ends;
  bool mismatch;        /* the peer's certificate has been seen, and is not a signalled one */
  bool no_memory;       /* was seen in one of OpenSSL's callbacks here */
  bool warned;          /* by an alert that is not the end; see on_info */
  unsigned early_count; /* records that OpenSSL may have set aside */
  RtcFingerprint *fingerprints; /* owned: the peer's, of one hash; NULL after the handshake */
  size_t fingerprint_count;

  RtcDtlsFlight fresh;                       /* what OpenSSL has written and is not given out yet */
  RtcDtlsFlight last;                        /* the last flight, which the peer may not have */
  RtcDtlsFlight copies[RTC_DTLS_COPIES_MAX]; /* of it, under new numbers; see on_timer */
  size_t copy_count, copy_at;                /* made, used up */
  RtcDtlsFlight *writes_to;                  /* borrowed: fresh, or a copy while it is made */

  RtcDtlsEpoch epoch;  /* has its keys once CONNECTED */
  RtcSrtpKeys *keys;   /* owned: from CONNECTED until they are exported */
  bool finished_again; /* the datagram that is being read repeats the peer's Finished */
  bool declined;       /* it asks for a new handshake, and was answered */

  RtcDtlsCallbacks callbacks;
  const RtcLog *log; /* borrowed */
  char *tag;         /* owned */
};

/* -- dtls.c -- */

void rtc_dtls_set_state(RtcDtls *dtls, RtcDtlsState state);
bool rtc_dtls_is_over(const RtcDtls *dtls);
const char *rtc_dtls_role_name(const RtcDtls *dtls);

/* FAILED, with this in the log. */
void rtc_dtls_fail(RtcDtls *dtls, RtcDtlsFailure failure, const char *text);

/* Gives out what OpenSSL has written, and keeps it if it is a flight. */
void rtc_dtls_flush(RtcDtls *dtls);

/* -- dtls_handshake.c -- */

/* Errors: NO_MEMORY, LIBRARY */
RTC_MUST_CHECK RtcError rtc_dtls_handshake_init(RtcDtls *dtls, const RtcDtlsContext *context);
void rtc_dtls_handshake_finish(RtcDtls *dtls); /* fine twice */
void rtc_dtls_handshake_start(RtcDtls *dtls);
void rtc_dtls_handshake_input(RtcDtls *dtls, const RtcDtlsRecord *record, const uint8_t *data);

/* -- dtls_connected.c -- */

void rtc_dtls_connected_input(RtcDtls *dtls, const RtcDtlsRecord *record, const uint8_t *data);

/* All records of a datagram were read: answers what it asked for. */
void rtc_dtls_connected_answer(RtcDtls *dtls);

/* Out of memory, the peer is not told. */
void rtc_dtls_connected_say_closed(RtcDtls *dtls);

#endif
