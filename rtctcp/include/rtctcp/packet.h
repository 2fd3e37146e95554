/* RtcPacket: an immutable, reference-counted packet. One buffer serves all receivers of a packet,
 * on any thread: its count is atomic, and its octets do not change once it is shared. */
#ifndef RTCTCP_PACKET_H
#define RTCTCP_PACKET_H

#include <rtctcp/error.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RtcPacket RtcPacket;

/* Copies data into a new packet.
 * Errors: NO_MEMORY */
RTC_API RTC_MUST_CHECK RtcError rtc_packet_new(RtcPacket **packet, const uint8_t *data, size_t len);

/* Any thread. ref(NULL) is NULL. unref sets *packet to NULL; a NULL in it is fine. */
RTC_API RtcPacket *rtc_packet_ref(RtcPacket *packet);
RTC_API void rtc_packet_unref(RtcPacket **packet);

/* Borrowed, valid while the handle is held. */
RTC_API const uint8_t *rtc_packet_data(const RtcPacket *packet);
RTC_API size_t rtc_packet_len(const RtcPacket *packet);

#ifdef __cplusplus
}
#endif

#endif
