/* What goes from a source's publisher to its consumers, beside them on one worker or across two. */
#ifndef RTC_MEDIA_SOURCE_PACKET_H
#define RTC_MEDIA_SOURCE_PACKET_H

#include <rtctcp/source.h>

/* The publisher's track, as far as consumers care. */
typedef struct RtcSourceFlow {
  RtcMedia media;
  RtcCodec codec;
  unsigned gaps; /* that there were: what was lost, video can't be decoded without */
} RtcSourceFlow;

typedef struct RtcSourcePacket {
  RtcPacket *packet; /* borrowed, unless it says otherwise */
  RtcSourceFlow flow;
  unsigned flags; /* RTC_SEND_* */
  uint32_t timestamp;
} RtcSourcePacket;

/* The clocks of a sender report (RFC 3550 section 6.4.1). */
typedef struct RtcSourceReport {
  uint64_t ntp;
  uint32_t rtp_timestamp;
} RtcSourceReport;

#endif
