/* The index of resources, and the coroutine that disposes of what was removed. */
#include "ownership/resource_manager.h"

#include "runtime/coroutine.h"
#include "runtime/worker_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A failed insertion undoes itself and leaves the node's handle without a table. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define TURN_SHARE 16 /* of what waits, this part is disposed of in a turn, and one at least */

/* A live resource's place in the index: resource->index. */
typedef struct IndexNode {
  RtcResource *resource;  /* back */
  UT_hash_handle by_id;   /* key: resource->id */
  UT_hash_handle by_name; /* key: resource->name; without a table when there is no name */
} IndexNode;

typedef struct Subscription {
  RtcResourceSubscriber *subscriber; /* borrowed */
  struct Subscription *next;         /* owned */
} Subscription;

/* A walk over the live resources or the subscriptions, during which any of them may go. Walks do
 * not yield, so they end in the reverse order of their beginnings. */
typedef struct Walk {
  const void *next;   /* borrowed: the node to visit next; NULL: none is left */
  struct Walk *outer; /* borrowed: the walk that this one began inside of */
} Walk;

struct RtcResourceManager {
  RtcWorker *worker;      /* borrowed */
  const char *name;       /* borrowed: static */
  RtcWorkerHolder holder; /* until the end: the worker leaves no disposal undone */

  uint64_t last_id;
  IndexNode *by_id;   /* owned */
  IndexNode *by_name; /* owned: the same nodes */
  size_t live;
  Subscription *subscriptions; /* owned: the latest first */
  Walk *walks;                 /* borrowed: the innermost, on somebody's stack */

  RtcResource *queue;       /* owned: one handle each; removed, in order */
  RtcResource **queue_tail; /* where the next is hung */
  size_t in_disposal;       /* queued, or being disposed of */

  RtcCoroutine *coroutine; /* borrowed: it frees the manager when it ends, and itself */
  bool idle;               /* it is parked for a removal or the close */

  bool closing;
  void (*on_closed)(void *arg);
  void *on_closed_arg; /* borrowed */
};

static bool may_become(RtcResourceState from, RtcResourceState to) {
  switch (from) {
  case RTC_RESOURCE_STATE_UNMANAGED:
    return to == RTC_RESOURCE_STATE_LIVE || to == RTC_RESOURCE_STATE_DISPOSAL;
  case RTC_RESOURCE_STATE_LIVE:
    return to == RTC_RESOURCE_STATE_DISPOSAL;
  case RTC_RESOURCE_STATE_DISPOSAL:
    return to == RTC_RESOURCE_STATE_DISPOSED;
  case RTC_RESOURCE_STATE_DISPOSED:
    return false;
  }
  return false;
}

static void set_state(RtcResourceManager *manager, RtcResource *resource, RtcResourceState state) {
  bool legal = may_become(resource->state, state);
  assert(legal);
  (void)legal;
  RTC_LOG(rtc_worker_log(manager->worker), DEBUG, "manager=%s %s=%" PRIu64 " %s -> %s",
          manager->name, resource->type->name, resource->id,
          rtc_resource_state_name(resource->state), rtc_resource_state_name(state));
  resource->state = state;
  resource->manager = state == RTC_RESOURCE_STATE_DISPOSED ? NULL : manager;
}

/* ---- Walks ------------------------------------------------------------------------------------
 */

static void walk_begin(RtcResourceManager *manager, Walk *walk, const void *first) {
  *walk = (Walk){.next = first, .outer = manager->walks};
  manager->walks = walk;
}

static void walk_end(RtcResourceManager *manager, Walk *walk) {
  assert(manager->walks == walk);
  manager->walks = walk->outer;
}

/* A node goes: whoever would have visited it next visits the one behind it. */
static void walks_pass_over(RtcResourceManager *manager, const void *node, const void *behind) {
  for (Walk *walk = manager->walks; walk; walk = walk->outer)
    if (walk->next == node)
      walk->next = behind;
}

/* ---- Subscribers ------------------------------------------------------------------------------
 */

typedef enum Event {
  BEFORE_DISPOSE,
  DISPOSING,
} Event;

/* New subscriptions are put in front, so that a walk that is under way does not meet them. */
static void tell(RtcResourceManager *manager, RtcResource *resource, Event event) {
  Walk walk;
  walk_begin(manager, &walk, manager->subscriptions);
  while (walk.next) {
    const Subscription *subscription = walk.next;
    RtcResourceSubscriber *subscriber = subscription->subscriber;
    walk.next = subscription->next;
    if (event == BEFORE_DISPOSE && subscriber->before_dispose)
      subscriber->before_dispose(subscriber, resource);
    if (event == DISPOSING && subscriber->disposing)
      subscriber->disposing(subscriber, resource);
  }
  walk_end(manager, &walk);
}

/* What points to this subscriber's subscription, or to the NULL at the end. */
static Subscription **find_subscription(RtcResourceManager *manager,
                                        const RtcResourceSubscriber *subscriber) {
  Subscription **at = &manager->subscriptions;
  while (*at && (*at)->subscriber != subscriber)
    at = &(*at)->next;
  return at;
}

RtcError rtc_resource_manager_subscribe(RtcResourceManager *manager,
                                        RtcResourceSubscriber *subscriber) {
  if (*find_subscription(manager, subscriber))
    return RTC_ERROR_EXISTS;
  Subscription *subscription = malloc(sizeof(*subscription));
  if (!subscription)
    return RTC_ERROR_NO_MEMORY;
  *subscription = (Subscription){.subscriber = subscriber, .next = manager->subscriptions};
  manager->subscriptions = subscription;
  return RTC_OK;
}

void rtc_resource_manager_unsubscribe(RtcResourceManager *manager,
                                      RtcResourceSubscriber *subscriber) {
  Subscription **at = find_subscription(manager, subscriber);
  Subscription *gone = *at;
  if (!gone)
    return;
  *at = gone->next;
  walks_pass_over(manager, gone, gone->next);
  free(gone);
}

/* ---- The index --------------------------------------------------------------------------------
 */

static IndexNode *find_by_id(const RtcResourceManager *manager, uint64_t id) {
  IndexNode *node;
  HASH_FIND(by_id, manager->by_id, &id, sizeof(id), node);
  return node;
}

static IndexNode *find_by_name(const RtcResourceManager *manager, const char *name) {
  IndexNode *node;
  HASH_FIND(by_name, manager->by_name, name, strlen(name), node);
  return node;
}

/* The keys are the resource's own id and name. */
static RtcError index_add(RtcResourceManager *manager, RtcResource *resource) {
  IndexNode *node = calloc(1, sizeof(*node));
  if (!node)
    return RTC_ERROR_NO_MEMORY;
  node->resource = resource;
  HASH_ADD_KEYPTR(by_id, manager->by_id, &resource->id, sizeof(resource->id), node);
  if (!node->by_id.tbl)
    goto free_node;
  if (resource->name) {
    HASH_ADD_KEYPTR(by_name, manager->by_name, resource->name, strlen(resource->name), node);
    if (!node->by_name.tbl)
      goto delete_id;
  }
  resource->index = node;
  manager->live++;
  return RTC_OK;

delete_id:
  HASH_DELETE(by_id, manager->by_id, node);
free_node:
  free(node);
  return RTC_ERROR_NO_MEMORY;
}

static void index_remove(RtcResourceManager *manager, RtcResource *resource) {
  IndexNode *node = resource->index;
  walks_pass_over(manager, node, node->by_id.next);
  HASH_DELETE(by_id, manager->by_id, node);
  if (node->by_name.tbl)
    HASH_DELETE(by_name, manager->by_name, node);
  free(node);
  resource->index = NULL;
  manager->live--;
}

uint64_t rtc_resource_manager_next_id(RtcResourceManager *manager) {
  return ++manager->last_id;
}

RtcError rtc_resource_manager_add(RtcResourceManager *manager, RtcResource *resource, uint64_t id,
                                  const char *name) {
  bool named = name && *name;
  assert(id != 0);
  if (manager->closing)
    return RTC_ERROR_CLOSED;
  if (resource->state != RTC_RESOURCE_STATE_UNMANAGED)
    return RTC_ERROR_INVALID_STATE;
  if (find_by_id(manager, id) || (named && find_by_name(manager, name)))
    return RTC_ERROR_EXISTS;

  char *copy = named ? strdup(name) : NULL;
  if (named && !copy)
    return RTC_ERROR_NO_MEMORY;
  resource->id = id;
  resource->name = copy;
  RtcError err = index_add(manager, resource);
  if (err) {
    resource->id = 0;
    resource->name = NULL;
    free(copy);
    return err;
  }
  set_state(manager, resource, RTC_RESOURCE_STATE_LIVE);
  return RTC_OK;
}

RtcResource *rtc_resource_manager_find_by_id(const RtcResourceManager *manager, uint64_t id) {
  const IndexNode *node = find_by_id(manager, id);
  return node ? node->resource : NULL;
}

RtcResource *rtc_resource_manager_find_by_name(const RtcResourceManager *manager,
                                               const char *name) {
  const IndexNode *node = find_by_name(manager, name);
  return node ? node->resource : NULL;
}

size_t rtc_resource_manager_live(const RtcResourceManager *manager) {
  return manager->live;
}

size_t rtc_resource_manager_in_disposal(const RtcResourceManager *manager) {
  return manager->in_disposal;
}

void rtc_resource_manager_each(RtcResourceManager *manager,
                               void (*fn)(RtcResource *resource, void *arg), void *arg) {
  Walk walk;
  walk_begin(manager, &walk, manager->by_id);
  while (walk.next) {
    const IndexNode *node = walk.next;
    walk.next = node->by_id.next;
    fn(node->resource, arg);
  }
  walk_end(manager, &walk);
}

/* ---- Disposal ---------------------------------------------------------------------------------
 * The coroutine is made with the manager and parks while there is nothing to do, so that a removal
 * allocates nothing and can't fail. The manager holds its worker: nobody interrupts the coroutine
 * before the close. */

static void queue_push(RtcResourceManager *manager, RtcResource *resource) {
  resource->next_disposal = NULL;
  *manager->queue_tail = resource;
  manager->queue_tail = &resource->next_disposal;
  manager->in_disposal++;
}

static RtcResource *queue_pop(RtcResourceManager *manager) {
  RtcResource *resource = manager->queue;
  if (!resource)
    return NULL;
  manager->queue = resource->next_disposal;
  if (!manager->queue)
    manager->queue_tail = &manager->queue;
  resource->next_disposal = NULL;
  return resource;
}

static void dispose_of(RtcResourceManager *manager, RtcResource *resource) {
  assert(resource->state == RTC_RESOURCE_STATE_DISPOSAL);
  tell(manager, resource, DISPOSING);
  if (resource->type->dispose)
    resource->type->dispose(resource);
  set_state(manager, resource, RTC_RESOURCE_STATE_DISPOSED);
  manager->in_disposal--;
  rtc_resource_unref(&resource);
}

static bool may_end(const RtcResourceManager *manager) {
  return manager->closing && manager->live == 0 && manager->in_disposal == 0;
}

/* The coroutine looks at the queue again before it parks, so it is made ready only when it is
 * parked for work: anywhere else that would cut short what a type's dispose waits for. */
static void wake(RtcResourceManager *manager) {
  if (!manager->idle)
    return;
  manager->idle = false;
  rtc_coroutine_ready(manager->coroutine);
}

static void await_work(RtcResourceManager *manager) {
  manager->idle = true;
  RtcError err = rtc_coroutine_park(manager->worker, RTC_NEVER);
  assert(err == RTC_OK);
  (void)err;
  manager->idle = false;
}

static void end(RtcResourceManager *manager) {
  assert(!manager->walks && !manager->by_id && !manager->by_name && !manager->queue);
  while (manager->subscriptions)
    rtc_resource_manager_unsubscribe(manager, manager->subscriptions->subscriber);
  manager->on_closed(manager->on_closed_arg);
  rtc_worker_let_go(manager->worker, &manager->holder);
  free(manager);
}

/* A share of what waits: a thousand ends at once do not hold up the loop, and however many come in
 * each turn of a worker that is short of time, what waits stays in proportion to them. */
static void dispose_of_some(RtcResourceManager *manager) {
  size_t count = 1 + manager->in_disposal / TURN_SHARE;
  RtcResource *resource;
  while (count-- > 0 && (resource = queue_pop(manager)) != NULL)
    dispose_of(manager, resource);
}

static RtcError run(void *arg) {
  RtcResourceManager *manager = arg;
  while (!may_end(manager)) {
    if (!manager->queue) {
      await_work(manager);
      continue;
    }
    dispose_of_some(manager);
    rtc_coroutine_yield(manager->worker);
  }
  end(manager);
  return RTC_OK;
}

static void on_worker_stop(void *arg) {
  (void)arg; /* whoever made the manager closes it */
}

RtcError rtc_resource_manager_new(RtcResourceManager **manager, RtcWorker *worker,
                                  const char *name) {
  RtcResourceManager *m = calloc(1, sizeof(*m));
  if (!m)
    return RTC_ERROR_NO_MEMORY;
  m->worker = worker;
  m->name = name;
  m->queue_tail = &m->queue;
  m->holder = (RtcWorkerHolder){.on_stop = on_worker_stop, .arg = m};

  RtcError err = rtc_worker_hold(worker, &m->holder);
  if (err)
    goto free_manager;
  err = rtc_coroutine_spawn(&m->coroutine, worker, name, run, m);
  if (err)
    goto let_go;
  rtc_coroutine_detach(m->coroutine);
  *manager = m;
  return RTC_OK;

let_go:
  rtc_worker_let_go(worker, &m->holder);
free_manager:
  free(m);
  return err;
}

void rtc_resource_manager_close(RtcResourceManager *manager, void (*on_closed)(void *arg),
                                void *arg) {
  assert(!manager->closing && on_closed);
  manager->closing = true;
  manager->on_closed = on_closed;
  manager->on_closed_arg = arg;
  wake(manager);
}

void rtc_resource_manager_remove(RtcResourceManager *manager, RtcResource **slot) {
  RtcResource *resource = rtc_resource_move(slot);
  if (!resource)
    return;
  if (resource->state == RTC_RESOURCE_STATE_DISPOSAL ||
      resource->state == RTC_RESOURCE_STATE_DISPOSED) {
    rtc_resource_unref(&resource);
    return;
  }
  if (resource->state == RTC_RESOURCE_STATE_LIVE) {
    assert(resource->manager == manager);
    index_remove(manager, resource);
  }
  set_state(manager, resource, RTC_RESOURCE_STATE_DISPOSAL);
  queue_push(manager, resource);
  tell(manager, resource, BEFORE_DISPOSE);
  wake(manager);
}
