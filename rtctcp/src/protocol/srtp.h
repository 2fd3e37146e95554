/* SRTP and SRTCP of one session, on libsrtp2. Sans-I/O; packets are changed in place.
 * Source: RFC 3711, RFC 7714 */
#ifndef RTC_PROTOCOL_SRTP_H
#define RTC_PROTOCOL_SRTP_H

#include "protocol/dtls.h"

/* Octets that protecting may add, which the buffer must have behind the packet. */
#define RTC_SRTP_OVERHEAD_MAX ((size_t)32)
/* SSRCs that a peer may send with; more are refused, so that it can't make us hold state. */
#define RTC_SRTP_SSRCS_MAX 32

typedef struct RtcSrtp RtcSrtp;

/* Makes libsrtp2 ready, with OpenSSL's ciphers in the place of its own; once a process, whoever
 * calls. Not while another thread makes contexts with libsrtp2. A log line for each of its own
 * ciphers that had to stay: they do the same, slower. */
void rtc_srtp_init(const RtcLog *log);

/* Errors: NO_MEMORY, UNSUPPORTED (profile), LIBRARY */
RTC_MUST_CHECK RtcError rtc_srtp_new(RtcSrtp **srtp, const RtcSrtpKeys *keys);
void rtc_srtp_destroy(RtcSrtp *srtp); /* NULL is fine */

/* Protects an RTP packet in place.
 * len     in: octets of RTP; out: octets of SRTP, at most RTC_SRTP_OVERHEAD_MAX more
 * cap     octets that packet may hold
 * Errors: PROTO (not RTP), LIMIT (cap), REPLAY (too old to be sent), NO_MEMORY, LIBRARY */
RTC_MUST_CHECK RtcError rtc_srtp_protect(RtcSrtp *srtp, uint8_t *packet, size_t *len, size_t cap);
RTC_MUST_CHECK RtcError rtc_srtp_protect_rtcp(RtcSrtp *srtp, uint8_t *packet, size_t *len,
                                              size_t cap);

/* Opens an SRTP packet in place.
 * len     in: octets of SRTP; out: octets of RTP
 * Errors: PROTO (malformed), AUTH, REPLAY, LIMIT (too many SSRCs), NO_MEMORY, LIBRARY: a drop
 *         each, the session goes on; the packet may have been written to */
RTC_MUST_CHECK RtcError rtc_srtp_unprotect(RtcSrtp *srtp, uint8_t *packet, size_t *len);
RTC_MUST_CHECK RtcError rtc_srtp_unprotect_rtcp(RtcSrtp *srtp, uint8_t *packet, size_t *len);

/* A stream has ended: its state is given back. Its SSRC must not be sent with again in this
 * session: the indices would begin anew, under the same keys (RFC 3711 section 9.1). */
void rtc_srtp_remove_send_ssrc(RtcSrtp *srtp, uint32_t ssrc);

#endif
