/* DTLS for SRTP: DTLS 1.2, either role; the handshake is OpenSSL's, over memory, and its SSL is
 * freed with the end of it. Sans-I/O: datagrams in, datagrams out. The transport under it is
 * reliable, so no timer runs here; when a TCP conn was lost, rtc_dtls_resend gives the last flight
 * again. Source: RFC 6347, RFC 5764, RFC 8842, RFC 8122 section 5 */
#ifndef RTC_PROTOCOL_DTLS_H
#define RTC_PROTOCOL_DTLS_H

#include "base/log_internal.h"

#include <rtctcp/error.h>
#include <rtctcp/sdp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An own certificate (ECDSA P-256, self-signed) with the settings of all sessions. Immutable after
 * new: any thread may use it. It must outlive its sessions. */
typedef struct RtcDtlsContext RtcDtlsContext;

/* Errors: NO_MEMORY, LIBRARY */
RTC_MUST_CHECK RtcError rtc_dtls_context_new(RtcDtlsContext **context, const RtcLog *log);
void rtc_dtls_context_destroy(RtcDtlsContext *context);
/* SHA-256 of the certificate. Borrowed. */
const RtcFingerprint *rtc_dtls_context_fingerprint(const RtcDtlsContext *context);

typedef enum RtcDtlsRole {
  RTC_DTLS_ROLE_SERVER, /* a=setup:passive */
  RTC_DTLS_ROLE_CLIENT, /* a=setup:active */
} RtcDtlsRole;

#define RTC_DTLS_STATE_MAP(X)                                                                      \
  X(HANDSHAKE, "handshake") /* awaits the peer's next flight */                                    \
  X(CONNECTED, "connected") /* keys are there, the peer is the signalled one */                    \
  X(CLOSED, "closed")       /* close_notify was sent or has come */                                \
  X(FAILED, "failed")       /* the handshake, or the peer by a fatal alert; see failure */

typedef enum RtcDtlsState {
#define RTC_DTLS_STATE_ENUM(name, text) RTC_DTLS_STATE_##name,
  RTC_DTLS_STATE_MAP(RTC_DTLS_STATE_ENUM)
#undef RTC_DTLS_STATE_ENUM
} RtcDtlsState;

typedef enum RtcDtlsFailure {
  RTC_DTLS_FAILURE_NONE,
  RTC_DTLS_FAILURE_FINGERPRINT, /* the peer's certificate is not a signalled one */
  RTC_DTLS_FAILURE_PEER_ALERT,  /* the peer sent a fatal alert */
  RTC_DTLS_FAILURE_NO_MEMORY,   /* here */
  RTC_DTLS_FAILURE_PROTOCOL,    /* version, cipher, no common SRTP profile, malformed flight, ... */
} RtcDtlsFailure;

typedef struct RtcDtls RtcDtls;

typedef struct RtcDtlsCallbacks {
  /* One datagram to send: borrowed for the call. Called from start, input, resend and close; it
   * must not call the session back. */
  void (*output)(const uint8_t *datagram, size_t len, void *arg);
  void *arg; /* borrowed */
} RtcDtlsCallbacks;

/* fingerprints  the peer's, copied: its certificate must match one of them (the strongest hash that
 *               is known decides, RFC 8122 section 5), checked inside the handshake
 * log           borrowed for the life of the session; tag is copied, and begins its lines
 * Errors: NO_MEMORY, INVALID_ARGUMENT (no fingerprint of a known hash), LIBRARY */
RTC_MUST_CHECK RtcError rtc_dtls_new(RtcDtls **dtls, const RtcDtlsContext *context,
                                     RtcDtlsRole role, const RtcFingerprint *fingerprints,
                                     size_t count, const RtcDtlsCallbacks *callbacks,
                                     const RtcLog *log, const char *tag);
/* Frees at once, sends nothing. NULL is fine. */
void rtc_dtls_destroy(RtcDtls *dtls);

/* Client: gives the ClientHello out. Server: nothing happens. */
void rtc_dtls_start(RtcDtls *dtls);

/* Feeds one datagram (one or more records). Look at the state after it.
 * Errors: PROTO   it was passed over (RFC 6347 section 4.1.2.7): nothing in it is a whole DTLS
 *                 record, or, when CONNECTED, nothing is authentic and new; the session goes on
 *         CLOSED  the session is CLOSED or FAILED (now, or before) */
RTC_MUST_CHECK RtcError rtc_dtls_input(RtcDtls *dtls, const uint8_t *datagram, size_t len);

/* Gives the last flight out once more, octet for octet: what had come is a replay to the peer, what
 * had not is news. A client's last flight has new record numbers the first two times, for it asks a
 * server that has ended its handshake for the last flight of that. Nothing happens when there is
 * none, or when the peer has shown to have it. */
void rtc_dtls_resend(RtcDtls *dtls);

/* The peer has the last flight (its first SRTP packet has come): its memory is given back. */
void rtc_dtls_forget_flight(RtcDtls *dtls);

/* Gives close_notify out, if the handshake has got as far as keys, and ends. Fine twice. */
void rtc_dtls_close(RtcDtls *dtls);

RtcDtlsState rtc_dtls_state(const RtcDtls *dtls);
RtcDtlsFailure rtc_dtls_failure(const RtcDtls *dtls);
const char *rtc_dtls_state_name(RtcDtlsState state);

/* Profiles by their DTLS identifiers, RFC 5764 section 4.1.2 and RFC 7714 section 14.2. */
typedef enum RtcSrtpProfile {
  RTC_SRTP_PROFILE_NONE = 0,
  RTC_SRTP_PROFILE_AES128_CM_SHA1_80 = 0x0001,
  RTC_SRTP_PROFILE_AEAD_AES_128_GCM = 0x0007,
  RTC_SRTP_PROFILE_AEAD_AES_256_GCM = 0x0008,
} RtcSrtpProfile;

/* "SRTP_AEAD_AES_128_GCM", ...; NULL for NONE. */
const char *rtc_srtp_profile_name(RtcSrtpProfile profile);

#define RTC_SRTP_MASTER_MAX ((size_t)46) /* key and salt: 32 + 14 */

/* The exporter's keys (RFC 5764 section 4.2), cut for this side: key then salt. */
typedef struct RtcSrtpKeys {
  RtcSrtpProfile profile;
  uint8_t send[RTC_SRTP_MASTER_MAX];
  uint8_t receive[RTC_SRTP_MASTER_MAX];
  size_t len; /* of each: key and salt [octets] */
} RtcSrtpKeys;

/* Gives the keys away, once: none are kept here. Wipe them after use.
 * Errors: INVALID_STATE (not CONNECTED, or they were given away) */
RTC_MUST_CHECK RtcError rtc_dtls_export_keys(RtcDtls *dtls, RtcSrtpKeys *keys);

#endif
