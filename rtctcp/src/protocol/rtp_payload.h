/* What routing must know of a codec's payload: where frames and keyframes begin. Nothing is
 * decoded. Source: RFC 7741 section 4.2 (VP8), RFC 6184 section 5 (H.264) */
#ifndef RTC_PROTOCOL_RTP_PAYLOAD_H
#define RTC_PROTOCOL_RTP_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does a keyframe begin with this payload? False for malformed and empty ones.
 * VP8: first partition of a frame whose header says key frame.
 * H.264: an SPS, or the first slice of an IDR picture: alone, anywhere in a STAP-A, or as an FU-A's
 * start. A picture's further slices begin nothing: one who joined there would miss a part of it. */
bool rtc_vp8_keyframe_start(const uint8_t *payload, size_t len);
bool rtc_h264_keyframe_start(const uint8_t *payload, size_t len);

#endif
