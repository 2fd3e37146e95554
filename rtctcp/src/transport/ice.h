/* The ICE credentials that a session's peer has to prove, and those that it asks for: one
 * generation of them (RFC 8445 section 9 begins the next). */
#ifndef RTC_TRANSPORT_ICE_H
#define RTC_TRANSPORT_ICE_H

#include "protocol/stun.h"
#include "transport/shard.h"

#define RTC_ICE_UFRAG_LEN 12 /* 3 for the worker, 9 at random: 54 bits */
#define RTC_ICE_PWD_LEN   24 /* 144 bits; RFC 8445 section 5.3 asks for 128 */

typedef struct RtcIceCredentials {
  char ufrag[RTC_ICE_UFRAG_LEN + 1];
  char pwd[RTC_ICE_PWD_LEN + 1];
  const char *remote_pwd; /* borrowed: behind remote_ufrag; NULL: this side proves nothing */
  char remote_ufrag[];    /* the peer's */
} RtcIceCredentials;

/* Makes random credentials of our own, beside the peer's ufrag. The caller frees them with free.
 * Errors: NO_MEMORY, SYSTEM (no randomness) */
RTC_MUST_CHECK RtcError rtc_ice_credentials_new(RtcIceCredentials **credentials,
                                                const RtcShard *shard, const char *remote_ufrag);

/* A copy of them, for a side that has its peer's ufrag and pwd to prove. The caller frees it with
 * free. Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_ice_credentials_pair(RtcIceCredentials **credentials,
                                                 const RtcIceCredentials *own,
                                                 const char *remote_ufrag, const char *remote_pwd);

/* Does this STUN username name them? NULL: there are none, so no. */
bool rtc_ice_credentials_match(const RtcIceCredentials *credentials,
                               const RtcStunUsername *username);

#endif
