/* Admission: how many sockets may be open that have not authenticated, in all and per peer, so that
 * strangers can't use up what sessions need. */
#ifndef RTC_TRANSPORT_ADMISSION_H
#define RTC_TRANSPORT_ADMISSION_H

#include "transport/address.h"

#include <stddef.h>

typedef struct RtcAdmission {
  size_t max;             /* unauthenticated sockets at once */
  size_t per_address_max; /* the same, of one RtcAddressKey */
  size_t count;
  struct RtcAdmissionPeer *peers; /* owned: a hash of those that have any */
} RtcAdmission;

void rtc_admission_init(RtcAdmission *admission, size_t max, size_t per_address_max);
void rtc_admission_finish(RtcAdmission *admission);

/* Counts one more socket of this peer in.
 * Errors: LIMIT (refuse it), NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_admission_enter(RtcAdmission *admission, RtcAddressKey peer);

/* One of this peer's has authenticated, or has gone. Each enter is followed by one leave. */
void rtc_admission_leave(RtcAdmission *admission, RtcAddressKey peer);

#endif
