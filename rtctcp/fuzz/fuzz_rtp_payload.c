/* Fuzzes the search for keyframes in payloads: it reads nothing beyond them, and what is cut before
 * its first octets of content begins nothing. */
#include "protocol/rtp_payload.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  bool vp8 = rtc_vp8_keyframe_start(data, size);
  bool h264 = rtc_h264_keyframe_start(data, size);
  if ((vp8 && size < 4) || (h264 && size < 1))
    abort();
  return 0;
}
