/* RtcTaskQueue: two lists, so that tasks may queue and cancel tasks while they run. */
#include "runtime/task_queue.h"

static void list_init(RtcTaskList *list) {
  list->first = NULL;
  list->end = &list->first;
}

static void list_remove(RtcTaskList *list, RtcTask **at) {
  RtcTask *task = *at;

  *at = task->next;
  if (list->end == &task->next)
    list->end = at;
  task->next = NULL;
  task->queued = false;
}

static void list_cancel(RtcTaskList *list, const RtcTask *task) {
  for (RtcTask **at = &list->first; *at; at = &(*at)->next) {
    if (*at == task) {
      list_remove(list, at);
      return;
    }
  }
}

void rtc_task_queue_init(RtcTaskQueue *queue) {
  list_init(&queue->waiting);
  list_init(&queue->running);
}

void rtc_task_queue_add(RtcTaskQueue *queue, RtcTask *task) {
  if (task->queued)
    return;
  task->queued = true;
  task->next = NULL;
  *queue->waiting.end = task;
  queue->waiting.end = &task->next;
}

void rtc_task_queue_cancel(RtcTaskQueue *queue, RtcTask *task) {
  if (!task->queued)
    return;
  list_cancel(&queue->running, task);
  if (task->queued)
    list_cancel(&queue->waiting, task);
}

void rtc_task_queue_run(RtcTaskQueue *queue) {
  RtcTaskList *running = &queue->running;

  if (!queue->waiting.first)
    return;
  *running = queue->waiting;
  list_init(&queue->waiting);
  while (running->first) {
    RtcTask *task = running->first;
    list_remove(running, &running->first);
    task->run(task->arg); /* may free the task */
  }
}

bool rtc_task_queue_is_empty(const RtcTaskQueue *queue) {
  return !queue->waiting.first;
}
