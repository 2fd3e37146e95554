/* Tells the packets apart that share one transport.
 * Source: RFC 7983 section 7, RFC 5761 section 4 (RTP from RTCP) */
#ifndef RTC_PROTOCOL_DEMUX_H
#define RTC_PROTOCOL_DEMUX_H

#include <stddef.h>
#include <stdint.h>

typedef enum RtcPacketClass {
  RTC_PACKET_CLASS_UNKNOWN, /* empty, too short for its class, or of none of these */
  RTC_PACKET_CLASS_STUN,
  RTC_PACKET_CLASS_DTLS,
  RTC_PACKET_CLASS_RTP,  /* SRTP */
  RTC_PACKET_CLASS_RTCP, /* SRTCP */
} RtcPacketClass;

RtcPacketClass rtc_demux(const uint8_t *packet, size_t len);

#endif
