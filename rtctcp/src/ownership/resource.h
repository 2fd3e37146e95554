/* A resource: a shared object with an id, a name, a description, and a place in a manager.
 * Embedded as the first member of what it is the base of (RtcTcpConn, RtcConnection). */
#ifndef RTC_OWNERSHIP_RESOURCE_H
#define RTC_OWNERSHIP_RESOURCE_H

#include "ownership/shared.h"

#include <rtctcp/error.h>

#include <stdbool.h>

typedef struct RtcResource RtcResource;
struct RtcResourceManager;

typedef struct RtcResourceType {
  const char *name; /* "tcp-conn" */
  /* Ends what the resource still does, in the manager's coroutine, once, before the manager gives
   * its handle back. May be NULL. Yields: it may; other disposals wait meanwhile. */
  void (*dispose)(RtcResource *resource);
  /* The last handle has gone: frees. Never yields, never revives. */
  void (*destroy)(RtcResource *resource);
} RtcResourceType;

#define RTC_RESOURCE_STATE_MAP(X)                                                                  \
  X(UNMANAGED, "unmanaged") /* in no manager */                                                    \
  X(LIVE, "live")           /* can be found */                                                     \
  X(DISPOSAL, "disposal")   /* removed: can't be found, awaits the manager's coroutine */          \
  X(DISPOSED, "disposed")   /* the manager is done with it; a handle may still be held */

typedef enum RtcResourceState {
#define RTC_RESOURCE_STATE_ENUM(name, text) RTC_RESOURCE_STATE_##name,
  RTC_RESOURCE_STATE_MAP(RTC_RESOURCE_STATE_ENUM)
#undef RTC_RESOURCE_STATE_ENUM
} RtcResourceState;

/* Only resource.c and resource_manager.c look inside. */
struct RtcResource {
  RtcShared shared;
  RtcResourceState state;
  const RtcResourceType *type;        /* borrowed: static */
  struct RtcResourceManager *manager; /* back: NULL in UNMANAGED and DISPOSED */
  uint64_t id;                        /* 0: none */
  char *name;                         /* owned; NULL: none */
  void *index;                        /* owned by the manager: its node in LIVE, else NULL */
  RtcResource *next_disposal;         /* owned: one handle; the next in the manager's queue */
};

/* The maker holds the first handle. */
void rtc_resource_init(RtcResource *resource, const RtcResourceType *type);

RTC_SHARED_DECLARE(RtcResource, rtc_resource);

uint64_t rtc_resource_id(const RtcResource *resource);
const char *rtc_resource_name(const RtcResource *resource); /* never NULL: "" */
RtcResourceState rtc_resource_state(const RtcResource *resource);
const char *rtc_resource_state_name(RtcResourceState state);
uint32_t rtc_resource_handles(const RtcResource *resource); /* held by whomever, now */

/* "tcp-conn 17 (whip/live)", for the log; without a name "tcp-conn 17", without an id "tcp-conn".
 * text  out: cut to cap octets, NUL included */
void rtc_resource_describe(const RtcResource *resource, char *text, size_t cap);

#endif
