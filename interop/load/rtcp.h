/* The little RTCP that a browser's player and publisher send, and the requests for keyframes that
 * they are sent. Source: RFC 3550 section 6, RFC 4585 section 6.3.1 (PLI), RFC 5104 (FIR).
 * Any thread. */
#ifndef LOAD_RTCP_H
#define LOAD_RTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTCP_LEN_MAX ((size_t)128) /* of what is written here [octets] */

/* What a receiver has to say of the stream that it gets. */
typedef struct RtcpReception {
  bool begun;        /* a packet has come: the report has a block */
  uint32_t ssrc;     /* the sender's */
  uint32_t sequence; /* highest, extended by its cycles */
} RtcpReception;

typedef struct RtcpSender {
  uint32_t ssrc;
  uint32_t timestamp; /* RTP's, of now */
  uint32_t packets, octets;
} RtcpSender;

/* RR and SDES; with_pli: and a PLI. Returns its length. */
size_t rtcp_write_receiver(uint8_t out[RTCP_LEN_MAX], uint32_t own_ssrc,
                           const RtcpReception *reception, bool with_pli);
/* SR, with the clock of now, and SDES. Returns its length. */
size_t rtcp_write_sender(uint8_t out[RTCP_LEN_MAX], const RtcpSender *sender);

/* Takes a packet's sequence number and SSRC into the report. */
void rtcp_reception_take(RtcpReception *reception, const uint8_t *rtp, size_t len);

/* Is a PLI or a FIR among the packets of this compound? */
bool rtcp_asks_keyframe(const uint8_t *compound, size_t len);

#endif
