/* The first frames after a stall, see recovery.h. */
#include "recovery.h"

static void note(RecoveryMoment *moment, const Recovery *recovery, uint64_t now_ns,
                 uint64_t age_ns) {
  if (moment->known)
    return;
  *moment =
      (RecoveryMoment){.known = true, .after_ns = now_ns - recovery->resumed_ns, .age_ns = age_ns};
}

void recovery_take(Recovery *recovery, const StreamStamp *stamp, bool gap, uint64_t now_ns) {
  if (gap)
    recovery->whole = recovery->decodable = false;
  if (stamp->index == 0) {
    recovery->whole = true;
    recovery->decodable = recovery->decodable || stamp->keyframe;
  }
  bool ends_frame = stamp->index + 1 == stamp->count;
  if (!ends_frame || !recovery->whole || recovery->resumed_ns == 0)
    return;
  uint64_t age_ns = now_ns > stamp->sent_ns ? now_ns - stamp->sent_ns : 0;
  note(&recovery->first_frame, recovery, now_ns, age_ns);
  if (recovery->decodable && age_ns < RECOVERY_PICTURE_AGE_MAX_NS)
    note(&recovery->picture, recovery, now_ns, age_ns);
}

void recovery_resume(Recovery *recovery, uint64_t now_ns) {
  recovery->resumed_ns = now_ns;
  recovery->first_frame = recovery->picture = (RecoveryMoment){0};
}
