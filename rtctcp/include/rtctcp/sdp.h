/* The transport attributes of SDP: ICE, DTLS fingerprint and setup, candidates. The rest of an SDP
 * (codecs, directions) is the host's, with the SDP library it likes.
 *
 * Source: RFC 8839 (ice-lite, ice-ufrag, ice-pwd, candidate), RFC 6544 section 4.5 (tcptype),
 * RFC 8122 section 5 (fingerprint), RFC 8842 and RFC 4145 (setup). Any thread. */
#ifndef RTCTCP_SDP_H
#define RTCTCP_SDP_H

#include <rtctcp/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RTC_SDP_CREDENTIAL_MAX   256 /* an ufrag's or a password's octets, RFC 8839 section 5.4 */
#define RTC_SDP_FINGERPRINTS_MAX 4
#define RTC_SDP_CANDIDATES_MAX   16
#define RTC_SDP_ADDRESS_MAX      64 /* text of an IPv4 or IPv6 address, or of an .local name */

typedef enum RtcSetup {
  RTC_SETUP_NONE,
  RTC_SETUP_ACTPASS,
  RTC_SETUP_ACTIVE,  /* this side sends the ClientHello */
  RTC_SETUP_PASSIVE, /* this side awaits it */
} RtcSetup;

typedef enum RtcTcpType {
  RTC_TCP_TYPE_NONE, /* not a TCP candidate */
  RTC_TCP_TYPE_ACTIVE,
  RTC_TCP_TYPE_PASSIVE,
  RTC_TCP_TYPE_SO,
} RtcTcpType;

typedef struct RtcFingerprint {
  char algorithm[16]; /* lower case: "sha-256" */
  uint8_t value[64];
  size_t len; /* [octets] */
} RtcFingerprint;

typedef struct RtcCandidate {
  char foundation[33];
  uint16_t component;
  bool tcp;
  uint32_t priority;
  char address[RTC_SDP_ADDRESS_MAX];
  uint16_t port;
  char type[16]; /* "host", "srflx", "prflx", "relay" */
  RtcTcpType tcp_type;
} RtcCandidate;

typedef struct RtcSdpTransport {
  bool ice_lite;
  char ufrag[RTC_SDP_CREDENTIAL_MAX + 1];
  char pwd[RTC_SDP_CREDENTIAL_MAX + 1];
  RtcSetup setup;
  RtcFingerprint fingerprints[RTC_SDP_FINGERPRINTS_MAX];
  size_t fingerprint_count;
  RtcCandidate candidates[RTC_SDP_CANDIDATES_MAX];
  size_t candidate_count;
  size_t candidates_left_out; /* more than fit, or of a form that is not understood */
} RtcSdpTransport;

/* Reads the transport of a bundled SDP: the session's attributes, and over them those of the media
 * section that speaks for the bundle: the first of its BUNDLE group that is not rejected (RFC 9143
 * section 7.3.1). Unknown attributes are passed over; a candidate that can't be understood is left
 * out and counted (RFC 8839 section 5.1).
 * sdp      need not end in a NUL; CRLF and LF both end a line
 * reason   out, may be NULL: a static text that tells a person what is wrong
 * Errors:  PROTO        an attribute is malformed (out of grammar or range)
 *          NOT_FOUND    no ufrag, no pwd, no fingerprint, or no media section
 *          UNSUPPORTED  media sections that are not all in one BUNDLE group, or only fingerprints
 *                       of an unknown hash */
RTC_API RTC_MUST_CHECK RtcError rtc_sdp_transport_parse(RtcSdpTransport *transport, const char *sdp,
                                                        size_t len, const char **reason);

/* Writes the attributes as lines of a media section, "a=...\r\n" each, without a=ice-lite, which is
 * a line of the session (RFC 8839 section 5.3).
 * len      out: octets written, without the closing NUL, which is written too
 * Errors:  LIMIT  cap is too small; nothing useful is in text */
RTC_API RTC_MUST_CHECK RtcError rtc_sdp_transport_write(const RtcSdpTransport *transport,
                                                        char *text, size_t cap, size_t *len);

/* One candidate attribute's value, "candidate:..." as in the grammar, with or without the name.
 * Errors: PROTO, UNSUPPORTED (neither UDP nor TCP, or an unknown type) */
RTC_API RTC_MUST_CHECK RtcError rtc_sdp_candidate_parse(RtcCandidate *candidate, const char *text,
                                                        size_t len);

#ifdef __cplusplus
}
#endif

#endif
