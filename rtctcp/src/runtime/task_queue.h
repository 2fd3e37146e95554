/* The end-of-turn tasks of a worker, in the order they were queued. */
#ifndef RTC_RUNTIME_TASK_QUEUE_H
#define RTC_RUNTIME_TASK_QUEUE_H

#include "runtime/worker_internal.h"

typedef struct RtcTaskList {
  RtcTask *first; /* borrowed */
  RtcTask **end;  /* where the next is hung */
} RtcTaskList;

typedef struct RtcTaskQueue {
  RtcTaskList waiting; /* for the end of the next step */
  RtcTaskList running; /* for the end of this one */
} RtcTaskQueue;

void rtc_task_queue_init(RtcTaskQueue *queue);

/* Fine when it is queued already. */
void rtc_task_queue_add(RtcTaskQueue *queue, RtcTask *task);

/* Fine when it is not queued. */
void rtc_task_queue_cancel(RtcTaskQueue *queue, RtcTask *task);

/* Runs those that wait now. Those queued meanwhile wait for the next call. */
void rtc_task_queue_run(RtcTaskQueue *queue);

bool rtc_task_queue_is_empty(const RtcTaskQueue *queue);

#endif
