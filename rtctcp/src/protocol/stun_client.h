/* The asking side of ICE's STUN: it writes binding requests and validates the responses. On
 * libnice's STUN library. Sans-I/O. The answering side is stun.h.
 * Source: RFC 8489 sections 6, 9.1, 14; RFC 8445 sections 7.1, 7.2, 16 */
#ifndef RTC_PROTOCOL_STUN_CLIENT_H
#define RTC_PROTOCOL_STUN_CLIENT_H

#include <rtctcp/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTC_STUN_REQUEST_MAX     ((size_t)640) /* of any request that is written [octets] */
#define RTC_STUN_TRANSACTION_LEN 12

/* libnice's StunAgent, 13 KiB: one a worker serves all its sessions, for what was asked is kept
 * with the TCP conn that asked, as an RtcStunTransaction. */
typedef struct RtcStunClient RtcStunClient;

/* Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_stun_client_new(RtcStunClient **client);
void rtc_stun_client_destroy(RtcStunClient *client);

/* The role attribute is always ICE-CONTROLLING. A tie-breaker of all ones above its lower 48 bits,
 * which are random, is higher than a peer's but for one in 65,536: a peer that believes to control
 * yields (RFC 8445 section 7.3.1.1), as it must, for who opens TCP conns chooses one. */
#define RTC_STUN_TIE_BREAKER(random48)                                                             \
  (UINT64_C(0xffff000000000000) | ((random48)&UINT64_C(0x0000ffffffffffff)))

/* One connectivity check. All texts are borrowed for the call. */
typedef struct RtcStunCheck {
  const char *remote_ufrag; /* USERNAME is "remote:local" */
  const char *local_ufrag;
  const char *remote_pwd; /* for MESSAGE-INTEGRITY; not empty */
  uint32_t priority;
  uint64_t tie_breaker;
  bool use_candidate; /* nominates this conn */
} RtcStunCheck;

/* A request that awaits its response. */
typedef struct RtcStunTransaction {
  uint8_t id[RTC_STUN_TRANSACTION_LEN]; /* random */
} RtcStunTransaction;

/* Writes a binding request.
 * request      out, of RTC_STUN_REQUEST_MAX octets
 * transaction  out
 * Errors: INVALID_ARGUMENT  an empty password or ufrag, or ufrags longer than RTC_ICE_UFRAG_MAX */
RTC_MUST_CHECK RtcError rtc_stun_client_request(RtcStunClient *client, const RtcStunCheck *check,
                                                uint8_t *request, size_t *len,
                                                RtcStunTransaction *transaction);

/* Is this a STUN response, well-formed or not? Its header must have come. */
bool rtc_stun_is_response(const uint8_t *packet, size_t len);

typedef enum RtcStunResponse {
  RTC_STUN_RESPONSE_SUCCESS,       /* the peer has the password, and answers this request */
  RTC_STUN_RESPONSE_ROLE_CONFLICT, /* authenticated: 487 */
  RTC_STUN_RESPONSE_REFUSED,       /* another error; one of 400 or 401 can't be authenticated */
  RTC_STUN_RESPONSE_IGNORED,       /* malformed, unauthenticated, or of another transaction */
} RtcStunResponse;

/* Validates a response to this request. It must carry a right FINGERPRINT, and MESSAGE-INTEGRITY by
 * the peer's password. Nothing is kept between calls.
 * error_code  out, may be NULL: of a refusal; else 0
 * Never fails: every input has an outcome. */
RtcStunResponse rtc_stun_client_response(RtcStunClient *client,
                                         const RtcStunTransaction *transaction,
                                         const char *remote_pwd, const uint8_t *packet, size_t len,
                                         uint16_t *error_code);

#endif
