/* The registry: which live session has this ufrag. One a worker; it owns a handle of each
 * Connection from its opening until it closes. */
#ifndef RTC_TRANSPORT_REGISTRY_H
#define RTC_TRANSPORT_REGISTRY_H

#include <rtctcp/connection.h>

typedef struct RtcRegistry {
  struct RtcRegistryEntry *entries; /* owned: a hash by ufrag */
  size_t count;
} RtcRegistry;

void rtc_registry_init(RtcRegistry *registry);
void rtc_registry_finish(RtcRegistry *registry); /* it must be empty */

/* Takes a handle of its own. ufrag is copied.
 * Errors: EXISTS, NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_registry_add(RtcRegistry *registry, const char *ufrag,
                                         RtcConnection *connection);

/* Borrowed; NULL: no live session has it. ufrag need not end in a NUL. */
RtcConnection *rtc_registry_find(const RtcRegistry *registry, const char *ufrag, size_t len);

/* Gives the registry's handle to the caller; NULL: it had none. */
RtcConnection *rtc_registry_take(RtcRegistry *registry, const char *ufrag);

#endif
