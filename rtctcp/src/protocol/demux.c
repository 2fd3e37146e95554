/* Tells the packets apart that share one transport, by their first octets (RFC 7983, RFC 5761). */
#include "protocol/demux.h"

#include <stdbool.h>

/* The shortest packet of each class [octets]. */
#define STUN_LEN_MIN 20 /* the header, RFC 8489 section 5 */
#define DTLS_LEN_MIN 13 /* a record's header, RFC 6347 section 4.1 */
#define RTP_LEN_MIN  12 /* the fixed header, RFC 3550 section 5.1 */
#define RTCP_LEN_MIN 8  /* the header with the sender's SSRC, which SRTCP leaves in the clear */

typedef struct Range {
  uint8_t first, last;
  RtcPacketClass class;
  size_t len_min; /* [octets] */
} Range;

/* By the first octet: RFC 7983 section 7. ZRTP (16 to 19) and TURN channels (64 to 79) are none of
 * ours. */
static const Range ranges[] = {
    {0, 3, RTC_PACKET_CLASS_STUN, STUN_LEN_MIN},
    {20, 63, RTC_PACKET_CLASS_DTLS, DTLS_LEN_MIN},
    {128, 191, RTC_PACKET_CLASS_RTP, RTP_LEN_MIN},
};

/* By the second octet: RFC 5761 section 4. */
static const Range rtcp = {192, 223, RTC_PACKET_CLASS_RTCP, RTCP_LEN_MIN};

static bool contains(const Range *range, uint8_t octet) {
  return octet >= range->first && octet <= range->last;
}

static const Range *find(const uint8_t *packet, size_t len) {
  for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
    if (!contains(&ranges[i], packet[0]))
      continue;
    bool is_rtcp = ranges[i].class == RTC_PACKET_CLASS_RTP && len > 1 && contains(&rtcp, packet[1]);
    return is_rtcp ? &rtcp : &ranges[i];
  }
  return NULL;
}

RtcPacketClass rtc_demux(const uint8_t *packet, size_t len) {
  const Range *range = len > 0 ? find(packet, len) : NULL;
  return range && len >= range->len_min ? range->class : RTC_PACKET_CLASS_UNKNOWN;
}
