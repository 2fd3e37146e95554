/* The source manager: which source has this name. It owns a handle of those that are in use. */
#ifndef RTC_MEDIA_SOURCE_MANAGER_H
#define RTC_MEDIA_SOURCE_MANAGER_H

#include "runtime/worker_internal.h"

#include <rtctcp/source.h>

struct RtcSourceManager {
  RtcWorker *worker;              /* borrowed */
  struct RtcSourceMember *member; /* borrowed: its place in a group; NULL: it is on its own */
  struct RtcSourceEntry *entries; /* owned: a hash by name; what it finds is borrowed */
  RtcSourceManagerStats stats;
};

/* Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_source_manager_add(RtcSourceManager *manager, RtcSource *source);

/* The name is free again. Fine when the name is another source's, or nobody's. */
void rtc_source_manager_remove(RtcSourceManager *manager, const RtcSource *source);

#endif
