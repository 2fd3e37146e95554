/* How a player that had stopped reading comes back: its first whole frame, and its first picture:
 * a whole frame that can be decoded and is young enough to be of use. Thread: its worker's. */
#ifndef LOAD_RECOVERY_H
#define LOAD_RECOVERY_H

#include "stream.h"

#define RECOVERY_PICTURE_AGE_MAX_NS UINT64_C(2000000000)

typedef struct RecoveryMoment {
  bool known;
  uint64_t after_ns; /* since it reads again */
  uint64_t age_ns;   /* since the frame was sent */
} RecoveryMoment;

typedef struct Recovery {
  uint64_t resumed_ns; /* 0: it has not */
  bool whole;          /* nothing of the frame under way is missing so far */
  bool decodable;      /* nothing is missing since a keyframe */
  RecoveryMoment first_frame, picture;
} Recovery; /* begins as {0} */

/* gap: packets before this one are missing */
void recovery_take(Recovery *recovery, const StreamStamp *stamp, bool gap, uint64_t now_ns);

/* It reads again. */
void recovery_resume(Recovery *recovery, uint64_t now_ns);

#endif
