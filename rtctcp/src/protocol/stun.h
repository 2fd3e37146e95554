/* The answering side of ICE's STUN: it validates binding requests and writes the answers. On
 * libnice's STUN library. Sans-I/O. The asking side is stun_client.h.
 * Source: RFC 8489 sections 6, 9.1, 14; RFC 8445 sections 7.3, 16 */
#ifndef RTC_PROTOCOL_STUN_H
#define RTC_PROTOCOL_STUN_H

#include <rtctcp/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define RTC_STUN_LEN_MAX      ((size_t)2048) /* of a request that is looked at [octets] */
#define RTC_STUN_RESPONSE_MAX ((size_t)1280) /* of any answer [octets] */
#define RTC_ICE_UFRAG_MAX     ((size_t)256)

/* libnice's StunAgent, 13 KiB: one a worker serves all its sessions. */
typedef struct RtcStunServer RtcStunServer;

/* Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_stun_server_new(RtcStunServer **server);
void rtc_stun_server_destroy(RtcStunServer *server);

/* Which side of a session this one is: the peer must say that it is the other. */
typedef enum RtcStunRole {
  RTC_STUN_ROLE_LITE,        /* ICE-lite, so controlled */
  RTC_STUN_ROLE_CONTROLLING, /* a full agent that opened the TCP conn */
} RtcStunRole;

/* USERNAME of a binding request, cut at the colon (RFC 8445 section 7.2.2). Borrowed from the
 * packet, not NUL-terminated. */
typedef struct RtcStunUsername {
  const char *local; /* the ufrag of this side: it names the session */
  size_t local_len;
  const char *remote; /* the ufrag of the peer */
  size_t remote_len;
} RtcStunUsername;

/* Looks the password of a session up.
 * password, password_len   out; borrowed until rtc_stun_server_handle returns
 * returns   false: no live session has this pair of ufrags */
typedef bool (*RtcStunLookup)(const RtcStunUsername *username, const uint8_t **password,
                              size_t *password_len, void *arg);

typedef enum RtcStunResult {
  RTC_STUN_BINDING_REQUEST, /* authenticated; a success response was written */
  RTC_STUN_ROLE_CONFLICT,   /* authenticated; the peer says to have this side's role: 487 written */
  RTC_STUN_REFUSED,         /* 400, 401 or 420 was written; nothing about the sender is proven */
  RTC_STUN_INDICATION,      /* a binding indication: a keep-alive, proves nothing, no answer */
  RTC_STUN_IGNORED,         /* a response, malformed, or without a right FINGERPRINT; no answer */
} RtcStunResult;

typedef struct RtcStunOutcome {
  RtcStunResult result;
  uint16_t error_code;  /* of a response that refuses: 400, 401, 420, 487; else 0 */
  bool use_candidate;   /* BINDING_REQUEST: the peer nominates this conn */
  uint32_t priority;    /* BINDING_REQUEST: 0 if it says none */
  bool unknown_session; /* REFUSED: well-formed, but the lookup said no */
  uint8_t response[RTC_STUN_RESPONSE_MAX];
  size_t response_len; /* 0: nothing to send */
} RtcStunOutcome;

/* Handles one STUN message. The request must carry USERNAME, MESSAGE-INTEGRITY and FINGERPRINT that
 * verify; unknown comprehension-optional attributes are ignored. Nothing is kept between calls.
 * from   the peer's address, for XOR-MAPPED-ADDRESS (IPv4 and IPv6; IPv4-mapped is written as IPv4)
 * Never fails: every input has an outcome. */
void rtc_stun_server_handle(RtcStunServer *server, RtcStunRole role, const uint8_t *packet,
                            size_t len, const struct sockaddr *from, socklen_t from_len,
                            RtcStunLookup lookup, void *arg, RtcStunOutcome *outcome);

/* Is this the beginning of a STUN message: the two zero bits and the magic cookie, as far as they
 * have come? (RFC 8489 section 5) */
bool rtc_stun_looks_like(const uint8_t *data, size_t len);

#endif
