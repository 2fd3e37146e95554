/* A worker with a resource manager, and resources that write down what happens to them. */
#ifndef RTC_TEST_SUPPORT_STAGE_H
#define RTC_TEST_SUPPORT_STAGE_H

#include "ownership/executor.h"
#include "ownership/resource_manager.h"
#include "runtime/coroutine.h"
#include "runtime/worker_internal.h"

typedef struct Stage Stage;
typedef struct Thing Thing;

/* A resource that writes "dispose:ID" and "destroy:ID" into the stage's record. */
struct Thing {
  RtcResource resource;
  Stage *stage;                       /* back */
  void (*on_dispose)(Thing *thing);   /* called inside dispose; NULL: nothing more */
  RtcError (*on_cycle)(Thing *thing); /* called inside stage_cycle; NULL: returns at once */
  RtcExecutor *executor;              /* borrowed: kept by the executor itself */
  RtcResource *other;                 /* owned; whatever the case needs; given back in destroy */
};

struct Stage {
  RtcWorker *worker;              /* borrowed */
  RtcResourceManager *manager;    /* owned: until it is closed */
  RtcResourceSubscriber recorder; /* writes "before:ID" and "disposing:ID" */
  void (*body)(Stage *stage);
  RtcCoroutine *held; /* borrowed: parked in stage_hold_disposal */
  bool close_called;
  bool closed;
  int things; /* alive */
  char record[8192];
};

/* A cmocka case: runs the body in a coroutine of a fresh worker (see on_worker), closes the manager
 * if the body has not, awaits that, and checks that every thing is destroyed. */
#define stage_test(body)                                                                           \
  {                                                                                                \
#body, stage_run, NULL, NULL, &(void (*)(Stage *)) {                                           \
      body                                                                                         \
    }                                                                                              \
  }
void stage_run(void **body);

/* Adds a word to the record. */
void stage_write(Stage *stage, const char *format, ...) RTC_PRINTF(2, 3);

/* The record must be exactly this; it begins anew then. */
#define stage_expect(stage, words)                                                                 \
  do {                                                                                             \
    assert_string_equal((stage)->record, words);                                                   \
    (stage)->record[0] = '\0';                                                                     \
  } while (0)

/* A new thing: the caller's handle. id 0: unmanaged, else it is live. */
Thing *stage_thing(Stage *stage, uint64_t id, const char *name);

void stage_remove(Stage *stage, Thing **slot);

/* Waits until nothing is in disposal. Yields: yes. */
void stage_settle(Stage *stage);

/* Waits until so many things are alive. Yields: yes. */
void stage_await_things(Stage *stage, int count);

/* An on_dispose that takes until stage_release, and writes "released" then. */
void stage_hold_disposal(Thing *thing);

/* Waits for a held disposal, and lets it go on. Yields: yes. */
void stage_release(Stage *stage);

void stage_close(Stage *stage);

/* Starts an executor with the thing's on_cycle; it writes "cycle:ID", and "end:ID" after it. */
RtcError stage_execute(Thing *thing);

#endif
