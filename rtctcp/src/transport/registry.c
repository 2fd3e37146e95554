/* The registry: which live session has this ufrag. */
#include "transport/registry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) ((element)->connection = NULL)
#include <uthash.h>

typedef struct RtcRegistryEntry {
  RtcConnection *connection; /* owned; NULL only when the hash could not take it */
  UT_hash_handle hh;
  char ufrag[];
} RtcRegistryEntry;

void rtc_registry_init(RtcRegistry *registry) {
  *registry = (RtcRegistry){0};
}

void rtc_registry_finish(RtcRegistry *registry) {
  assert(!registry->entries && registry->count == 0);
  *registry = (RtcRegistry){0};
}

static RtcRegistryEntry *find(const RtcRegistry *registry, const char *ufrag, size_t len) {
  RtcRegistryEntry *entry;
  HASH_FIND(hh, registry->entries, ufrag, len, entry);
  return entry;
}

RtcError rtc_registry_add(RtcRegistry *registry, const char *ufrag, RtcConnection *connection) {
  size_t len = strlen(ufrag);
  if (find(registry, ufrag, len))
    return RTC_ERROR_EXISTS;
  RtcRegistryEntry *entry = calloc(1, sizeof *entry + len + 1);
  if (!entry)
    return RTC_ERROR_NO_MEMORY;
  memcpy(entry->ufrag, ufrag, len + 1);
  entry->connection = connection;
  HASH_ADD_KEYPTR(hh, registry->entries, entry->ufrag, len, entry);
  if (!entry->connection) {
    free(entry);
    return RTC_ERROR_NO_MEMORY;
  }
  rtc_connection_ref(connection);
  registry->count++;
  return RTC_OK;
}

RtcConnection *rtc_registry_find(const RtcRegistry *registry, const char *ufrag, size_t len) {
  RtcRegistryEntry *entry = find(registry, ufrag, len);
  return entry ? entry->connection : NULL;
}

RtcConnection *rtc_registry_take(RtcRegistry *registry, const char *ufrag) {
  RtcRegistryEntry *entry = find(registry, ufrag, strlen(ufrag));
  if (!entry)
    return NULL;
  RtcConnection *connection = entry->connection;
  HASH_DEL(registry->entries, entry);
  free(entry);
  registry->count--;
  return connection;
}
