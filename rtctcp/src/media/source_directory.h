/* The directory of a source group: which streams there are, who publishes each, on which worker,
 * and which workers have consumers of it. See source_group.h for who owns what.
 *
 * Thread: the source's. Each takes the group's lock for a moment, and calls nobody back with it. */
#ifndef RTC_MEDIA_SOURCE_DIRECTORY_H
#define RTC_MEDIA_SOURCE_DIRECTORY_H

#include "media/source_group.h"

/* Is there a source of this name on any worker? */
bool rtc_directory_knows(RtcSourceMember *member, const char *name);

/* A new source takes its seat, and learns who publishes. Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_directory_enter(RtcSourceMember *member, RtcSource *source);
/* Its last act. */
void rtc_directory_leave(RtcSource *source);

/* Claims the stream for the source's publisher. Errors: EXISTS (another worker has one) */
RTC_MUST_CHECK RtcError rtc_directory_publish(RtcSource *source, const RtcTrack *tracks,
                                              size_t count);
/* Fine when it does not publish. */
void rtc_directory_unpublish(RtcSource *source);

/* It has consumers, or none any more. */
void rtc_directory_set_interest(RtcSource *source, bool interested);

/* The publisher, on another worker, is to be asked for a keyframe. */
void rtc_directory_ask_keyframe(const RtcSource *source);

/* Frees the name at once; the sources of other workers are unbound in their own turn. */
void rtc_directory_eliminate(RtcSource *source);

/* Looks at all that has changed for this member's sources, and follows it. A publisher elsewhere
 * that has gone is only marked: on_letter ends its feed when its last packets were delivered. */
void rtc_directory_take_notices(RtcSourceMember *member);

#endif
