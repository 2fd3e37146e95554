/* The source manager: which source has this name. */
#include "media/source_manager.h"

#include "media/rtc_source_internal.h"
#include "media/source_directory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) ((element)->source = NULL)
#include <uthash.h>

#define NAME_LEN_MAX 255

typedef struct RtcSourceEntry {
  RtcSource *source; /* borrowed: it removes itself; NULL only when the hash could not take it */
  UT_hash_handle hh;
} RtcSourceEntry;

RtcError rtc_source_manager_new(RtcSourceManager **out, RtcWorker *worker) {
  RtcSourceManager *manager = calloc(1, sizeof *manager);
  if (!manager)
    return RTC_ERROR_NO_MEMORY;
  manager->worker = worker;
  *out = manager;
  return RTC_OK;
}

void rtc_source_manager_destroy(RtcSourceManager *manager) {
  if (!manager)
    return;
  assert(!manager->entries);
  if (manager->member)
    rtc_source_member_close(manager->member);
  free(manager);
}

static RtcSourceEntry *find(const RtcSourceManager *manager, const char *name) {
  RtcSourceEntry *entry;
  HASH_FIND(hh, manager->entries, name, strlen(name), entry);
  return entry;
}

RtcError rtc_source_manager_add(RtcSourceManager *manager, RtcSource *source) {
  RtcSourceEntry *entry = calloc(1, sizeof *entry);
  if (!entry)
    return RTC_ERROR_NO_MEMORY;
  entry->source = source;
  HASH_ADD_KEYPTR(hh, manager->entries, source->name, strlen(source->name), entry);
  if (entry->source)
    return RTC_OK;
  free(entry);
  return RTC_ERROR_NO_MEMORY;
}

void rtc_source_manager_remove(RtcSourceManager *manager, const RtcSource *source) {
  RtcSourceEntry *entry = find(manager, source->name);
  if (!entry || entry->source != source)
    return;
  HASH_DEL(manager->entries, entry);
  free(entry);
}

/* In a group, as the directory has it by now. */
static RtcSourceEntry *find_current(RtcSourceManager *manager, const char *name) {
  if (manager->member)
    rtc_directory_take_notices(manager->member);
  return find(manager, name);
}

RtcSource *rtc_source_manager_fetch(RtcSourceManager *manager, const char *name) {
  RtcSource *source;
  const RtcSourceEntry *entry = find_current(manager, name);
  if (entry)
    return rtc_source_ref(entry->source);
  if (!manager->member || !rtc_directory_knows(manager->member, name))
    return NULL;
  return rtc_source_new(&source, manager, name) == RTC_OK ? source : NULL;
}

RtcError rtc_source_manager_fetch_or_create(RtcSourceManager *manager, const char *name,
                                            RtcSource **source) {
  size_t len = strlen(name);
  if (len == 0 || len > NAME_LEN_MAX)
    return RTC_ERROR_INVALID_ARGUMENT;
  const RtcSourceEntry *entry = find_current(manager, name);
  if (!entry)
    return rtc_source_new(source, manager, name);
  *source = rtc_source_ref(entry->source);
  return RTC_OK;
}

void rtc_source_manager_eliminate(RtcSourceManager *manager, const char *name) {
  RtcSource *source = rtc_source_manager_fetch(manager, name);
  if (!source)
    return;
  rtc_source_manager_remove(manager, source);
  if (source->listing)
    rtc_directory_eliminate(source);
  rtc_source_unbind(source);
  rtc_source_unref(&source);
}

void rtc_source_manager_stats(const RtcSourceManager *manager, RtcSourceManagerStats *stats) {
  *stats = manager->stats;
}
