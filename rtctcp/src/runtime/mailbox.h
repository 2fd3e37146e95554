/* The mailbox of a worker: functions that other threads want to be run on its loop. */
#ifndef RTC_RUNTIME_MAILBOX_H
#define RTC_RUNTIME_MAILBOX_H

#include "runtime/worker_internal.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

typedef struct RtcMailbox {
  pthread_mutex_t mutex;
  RtcLetter *first; /* under the mutex */
  RtcLetter **end;  /* where the next is hung; under the mutex */
  bool closed;      /* under the mutex */
  uv_async_t wake;  /* sent under the mutex, so never once it is closed */
} RtcMailbox;

/* on_wake is called on the loop's thread after a post or an rtc_mailbox_wake; several of these may
 * make one call.
 * Errors: NO_MEMORY, SYSTEM */
RTC_MUST_CHECK RtcError rtc_mailbox_init(RtcMailbox *mailbox, uv_loop_t *loop, uv_async_cb on_wake);

/* The wake handle must be closed. */
void rtc_mailbox_finish(RtcMailbox *mailbox);

/* Any thread. Errors: NO_MEMORY, CLOSED */
RTC_MUST_CHECK RtcError rtc_mailbox_post(RtcMailbox *mailbox, void (*fn)(void *arg), void *arg);

/* The same with a letter of the caller's. Any thread. Errors: CLOSED */
RTC_MUST_CHECK RtcError rtc_mailbox_deliver(RtcMailbox *mailbox, RtcLetter *letter);

/* Wakes the loop. Any thread; nothing happens once closed. */
void rtc_mailbox_wake(RtcMailbox *mailbox);

/* Runs what is in the mailbox now, in order, and returns how many that were. */
uint64_t rtc_mailbox_run(RtcMailbox *mailbox);

/* Refuses posts from here on, unless there are some to be run still: false then. */
bool rtc_mailbox_close_if_empty(RtcMailbox *mailbox);

#endif
