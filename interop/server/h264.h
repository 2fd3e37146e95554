/* H.264 as SDP names it: packetization mode and profile.
 * Source: RFC 6184 section 8.1 */
#ifndef SERVER_H264_H
#define SERVER_H264_H

#include <stdbool.h>

typedef enum H264Profile {
  H264_PROFILE_OTHER,
  H264_PROFILE_CONSTRAINED_BASELINE,
  H264_PROFILE_BASELINE,
  H264_PROFILE_MAIN,
  H264_PROFILE_CONSTRAINED_HIGH,
  H264_PROFILE_HIGH,
} H264Profile;

typedef struct H264Params {
  unsigned packetization_mode;
  H264Profile profile;
} H264Params;

/* Reads an fmtp's parameters, "profile-level-id=42e01f;packetization-mode=1"; NULL: there is no
 * fmtp, and every default holds. false: a value is malformed. */
bool h264_params_parse(H264Params *params, const char *fmtp);

#endif
