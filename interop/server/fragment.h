/* SDP fragments, application/trickle-ice-sdpfrag: what a client trickles or asks an ICE restart
 * with, and what the restart is answered with. Source: RFC 8840 section 9, RFC 9725 section 4.3.
 * Any thread. */
#ifndef SERVER_FRAGMENT_H
#define SERVER_FRAGMENT_H

#include "negotiate.h"
#include "text.h"

#define FRAGMENT_TYPE "application/trickle-ice-sdpfrag"

/* What is of use here: an ICE-lite, passive side never connects to the client's candidates, so they
 * are checked and forgotten. */
typedef struct Fragment {
  char ufrag[RTC_SDP_CREDENTIAL_MAX + 1]; /* "": the fragment has neither this nor pwd */
  char pwd[RTC_SDP_CREDENTIAL_MAX + 1];
} Fragment;

/* Reads a fragment. CRLF and LF both end a line, the last one's may be missing. Unknown attributes
 * are passed over, and candidates of a form that is not understood (RFC 8839 section 5.1).
 * text     need not end in a NUL
 * reason   out on failure: a static text that tells a person what is wrong
 * Errors:  PROTO */
RTC_MUST_CHECK RtcError fragment_parse(Fragment *fragment, const char *text, size_t len,
                                       const char **reason);

/* Appends what stands above the credentials in each fragment of a session: the group, and the
 * section of its answer that speaks for the bundle.
 * agreement  one section at least was agreed on */
void fragment_write_head(Text *text, const Offer *offer, const Agreement *agreement);

/* Appends the answer to an ICE restart.
 * head    what fragment_write_head wrote
 * local   this side's; its credentials and candidates are told
 * Errors: LIMIT, or what else rtc_sdp_transport_write says */
RTC_MUST_CHECK RtcError fragment_write(Text *text, const char *head, const RtcSdpTransport *local);

#endif
