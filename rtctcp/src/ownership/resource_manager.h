/* The resource manager: an index of resources by id and by name, and the coroutine that disposes of
 * them, later, in its own turn of the loop. It holds no handle of a live resource; whoever ends one
 * gives the handle to rtc_resource_manager_remove. The last handle of a live resource is given back
 * in no other way.
 *
 * A manager holds its worker until it is closed: a worker that stops interrupts the coroutine no
 * earlier, so whatever is removed is disposed of. */
#ifndef RTC_OWNERSHIP_RESOURCE_MANAGER_H
#define RTC_OWNERSHIP_RESOURCE_MANAGER_H

#include "ownership/resource.h"

#include <rtctcp/worker.h>

typedef struct RtcResourceManager RtcResourceManager;

/* Told of every removal. May subscribe, unsubscribe (itself too) and remove resources (the same one
 * too) from inside its callbacks, which never yield. A subscriber added during a callback is told
 * from the next event on; one removed is not told any more. The latest one is told first. */
typedef struct RtcResourceSubscriber {
  /* At the removal, inside rtc_resource_manager_remove. NULL: not told. */
  void (*before_dispose)(struct RtcResourceSubscriber *subscriber, RtcResource *resource);
  /* At the disposal, in the manager's coroutine, before the type's dispose. NULL: not told. */
  void (*disposing)(struct RtcResourceSubscriber *subscriber, RtcResource *resource);
} RtcResourceSubscriber;

/* Makes a manager and starts its coroutine. name: for the log, static.
 * Errors: NO_MEMORY, CLOSED */
RTC_MUST_CHECK RtcError rtc_resource_manager_new(RtcResourceManager **manager, RtcWorker *worker,
                                                 const char *name);

/* Refuses new resources, waits until the live ones have been removed by those who hold them and all
 * have been disposed of; then the coroutine calls on_closed, never inside this call, frees the
 * manager and ends. Once.
 * on_closed  not NULL, never yields; the manager may not be used from its call on
 * arg        borrowed */
void rtc_resource_manager_close(RtcResourceManager *manager, void (*on_closed)(void *arg),
                                void *arg);

/* A fresh id of this manager, never 0, never given twice. */
uint64_t rtc_resource_manager_next_id(RtcResourceManager *manager);

/* Makes an unmanaged resource findable. The manager borrows it: the caller's handle stays his.
 * id      not 0
 * name    copied; NULL or "": only by id
 * Errors: EXISTS         the id or the name is taken
 *         INVALID_STATE  the resource is, or was, in a manager
 *         CLOSED         the manager closes
 *         NO_MEMORY      nothing is changed by any of these */
RTC_MUST_CHECK RtcError rtc_resource_manager_add(RtcResourceManager *manager, RtcResource *resource,
                                                 uint64_t id, const char *name);

/* Borrowed; NULL: there is none. What was removed is not found. */
RtcResource *rtc_resource_manager_find_by_id(const RtcResourceManager *manager, uint64_t id);
RtcResource *rtc_resource_manager_find_by_name(const RtcResourceManager *manager, const char *name);

/* Takes the handle out of *slot, makes the resource unfindable, tells before_dispose, and queues
 * the disposal. A resource that is removed already only loses this handle (and once it is disposed
 * of, the manager may be gone by then); one of no manager is queued as well. Takes no memory, so it
 * can't fail. Never yields. A NULL in the slot is fine. */
void rtc_resource_manager_remove(RtcResourceManager *manager, RtcResource **slot);

/* Errors: NO_MEMORY, EXISTS */
RTC_MUST_CHECK RtcError rtc_resource_manager_subscribe(RtcResourceManager *manager,
                                                       RtcResourceSubscriber *subscriber);
void rtc_resource_manager_unsubscribe(RtcResourceManager *manager,
                                      RtcResourceSubscriber *subscriber);

size_t rtc_resource_manager_live(const RtcResourceManager *manager);
size_t rtc_resource_manager_in_disposal(const RtcResourceManager *manager);

/* Calls fn for every live resource. fn may remove resources, the one it is called with too.
 * Resources added meanwhile may be left out. Never yields. */
void rtc_resource_manager_each(RtcResourceManager *manager,
                               void (*fn)(RtcResource *resource, void *arg), void *arg);

#endif
