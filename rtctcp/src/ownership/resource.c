/* What every resource carries: its handles, its id, its name and its state. */
#include "ownership/resource.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void destroy(RtcResource *resource) {
  assert(resource->state == RTC_RESOURCE_STATE_UNMANAGED ||
         resource->state == RTC_RESOURCE_STATE_DISPOSED);
  char *name = resource->name; /* outlives the type's destroy, which may still describe itself */
  resource->type->destroy(resource);
  free(name);
}

RTC_SHARED_DEFINE(RtcResource, rtc_resource, shared, destroy);

void rtc_resource_init(RtcResource *resource, const RtcResourceType *type) {
  assert(type->name && type->destroy);
  *resource = (RtcResource){.type = type, .state = RTC_RESOURCE_STATE_UNMANAGED};
  rtc_shared_init(&resource->shared);
}

uint64_t rtc_resource_id(const RtcResource *resource) {
  return resource->id;
}

const char *rtc_resource_name(const RtcResource *resource) {
  return resource->name ? resource->name : "";
}

RtcResourceState rtc_resource_state(const RtcResource *resource) {
  return resource->state;
}

uint32_t rtc_resource_handles(const RtcResource *resource) {
  return resource->shared.handles;
}

const char *rtc_resource_state_name(RtcResourceState state) {
  switch (state) {
#define RTC_RESOURCE_STATE_CASE(name, text)                                                        \
  case RTC_RESOURCE_STATE_##name:                                                                  \
    return text;
    RTC_RESOURCE_STATE_MAP(RTC_RESOURCE_STATE_CASE)
#undef RTC_RESOURCE_STATE_CASE
  }
  return "unknown";
}

void rtc_resource_describe(const RtcResource *resource, char *text, size_t cap) {
  const char *type = resource->type->name;
  if (resource->name)
    snprintf(text, cap, "%s %" PRIu64 " (%s)", type, resource->id, resource->name);
  else if (resource->id)
    snprintf(text, cap, "%s %" PRIu64, type, resource->id);
  else
    snprintf(text, cap, "%s", type);
}
