/* RtcMailbox: a list under a mutex, and an eventfd of libuv that wakes the loop. */
#include "runtime/mailbox.h"

#include <stdlib.h>

RtcError rtc_mailbox_init(RtcMailbox *mailbox, uv_loop_t *loop, uv_async_cb on_wake) {
  int failed = uv_async_init(loop, &mailbox->wake, on_wake);

  if (failed)
    return failed == UV_ENOMEM ? RTC_ERROR_NO_MEMORY : RTC_ERROR_SYSTEM;
  pthread_mutex_init(&mailbox->mutex, NULL); /* a default one: never fails on Linux */
  mailbox->first = NULL;
  mailbox->end = &mailbox->first;
  mailbox->closed = false;
  return RTC_OK;
}

void rtc_mailbox_finish(RtcMailbox *mailbox) {
  pthread_mutex_destroy(&mailbox->mutex);
}

RtcError rtc_mailbox_deliver(RtcMailbox *mailbox, RtcLetter *letter) {
  letter->next = NULL;
  pthread_mutex_lock(&mailbox->mutex);
  bool open = !mailbox->closed;
  if (open) {
    /* A wake costs a system call here and a turn there: who finds letters need not wake again. */
    if (!mailbox->first)
      uv_async_send(&mailbox->wake);
    *mailbox->end = letter;
    mailbox->end = &letter->next;
  }
  pthread_mutex_unlock(&mailbox->mutex);
  return open ? RTC_OK : RTC_ERROR_CLOSED;
}

RtcError rtc_mailbox_post(RtcMailbox *mailbox, void (*fn)(void *arg), void *arg) {
  RtcLetter *letter = malloc(sizeof *letter);

  if (!letter)
    return RTC_ERROR_NO_MEMORY;
  *letter = (RtcLetter){.fn = fn, .arg = arg, .allocated = true};
  RtcError error = rtc_mailbox_deliver(mailbox, letter);
  if (error)
    free(letter);
  return error;
}

void rtc_mailbox_wake(RtcMailbox *mailbox) {
  pthread_mutex_lock(&mailbox->mutex);
  if (!mailbox->closed)
    uv_async_send(&mailbox->wake);
  pthread_mutex_unlock(&mailbox->mutex);
}

static RtcLetter *take_all(RtcMailbox *mailbox) {
  pthread_mutex_lock(&mailbox->mutex);
  RtcLetter *first = mailbox->first;
  mailbox->first = NULL;
  mailbox->end = &mailbox->first;
  pthread_mutex_unlock(&mailbox->mutex);
  return first;
}

uint64_t rtc_mailbox_run(RtcMailbox *mailbox) {
  uint64_t count = 0;

  for (RtcLetter *letter = take_all(mailbox); letter; count++) {
    RtcLetter *next = letter->next;
    bool allocated = letter->allocated; /* else it may be gone after the call */
    letter->fn(letter->arg);
    if (allocated)
      free(letter);
    letter = next;
  }
  return count;
}

bool rtc_mailbox_close_if_empty(RtcMailbox *mailbox) {
  pthread_mutex_lock(&mailbox->mutex);
  if (!mailbox->first)
    mailbox->closed = true;
  bool closed = mailbox->closed;
  pthread_mutex_unlock(&mailbox->mutex);
  return closed;
}
