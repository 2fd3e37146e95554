/* SRTP and SRTCP written anew from the RFCs on OpenSSL's EVP, to compare the library with.
 * Source: RFC 3711 sections 3.4, 4.1 to 4.3, RFC 6188, RFC 7714 sections 8, 9, 11 */
#ifndef RTC_TEST_SUPPORT_SRTP_REFERENCE_H
#define RTC_TEST_SUPPORT_SRTP_REFERENCE_H

#include "protocol/dtls.h"

/* Protects in place, with master key and salt as RtcSrtpKeys has them; the room behind the packet
 * is the caller's to know.
 * header_len  of the RTP packet, with CSRCs and extension [octets]
 * returns     octets of SRTP */
size_t srtp_reference_protect(RtcSrtpProfile profile, const uint8_t *master, uint32_t roc,
                              uint8_t *packet, size_t header_len, size_t len);
size_t srtp_reference_protect_rtcp(RtcSrtpProfile profile, const uint8_t *master, uint32_t index,
                                   uint8_t *packet, size_t len);

#endif
