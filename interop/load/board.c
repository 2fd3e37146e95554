/* Counts under a lock, see board.h. */
#include "board.h"

#include "clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void board_init(Board *board) {
  pthread_condattr_t attributes;
  *board = (Board){0};
  pthread_mutex_init(&board->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&board->changed, &attributes);
  pthread_condattr_destroy(&attributes);
}

void board_finish(Board *board) {
  pthread_cond_destroy(&board->changed);
  pthread_mutex_destroy(&board->lock);
}

static void count(Board *board, BoardEvent event) {
  switch (event) {
#define BOARD_EVENT_CASE(name, field)                                                              \
  case BOARD_##name:                                                                               \
    board->counts.field++;                                                                         \
    break;
    BOARD_EVENT_MAP(BOARD_EVENT_CASE)
#undef BOARD_EVENT_CASE
  case BOARD_EVENT_COUNT:
    break;
  }
  pthread_cond_broadcast(&board->changed);
}

void board_count(Board *board, BoardEvent event) {
  pthread_mutex_lock(&board->lock);
  count(board, event);
  pthread_mutex_unlock(&board->lock);
}

void board_connected(Board *board, uint64_t setup_ns) {
  pthread_mutex_lock(&board->lock);
  histogram_add(&board->setup, setup_ns);
  board->last_connected_ns = clock_ns();
  count(board, BOARD_CONNECTED);
  pthread_mutex_unlock(&board->lock);
}

static void add_error(Board *board, const char *what) {
  for (size_t i = 0; i < board->error_count; i++) {
    if (strcmp(board->errors[i].what, what) == 0) {
      board->errors[i].count++;
      return;
    }
  }
  if (board->error_count == BOARD_ERRORS_MAX) {
    board->errors_left_out++;
    return;
  }
  BoardError *error = &board->errors[board->error_count++];
  snprintf(error->what, sizeof error->what, "%s", what);
  error->count = 1;
}

void board_error(Board *board, const char *format, ...) {
  char what[BOARD_ERROR_LEN_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  pthread_mutex_lock(&board->lock);
  add_error(board, what);
  pthread_mutex_unlock(&board->lock);
}

BoardCounts board_counts(Board *board) {
  pthread_mutex_lock(&board->lock);
  BoardCounts counts = board->counts;
  pthread_mutex_unlock(&board->lock);
  return counts;
}

BoardCounts board_wait(Board *board, const BoardCounts *seen, uint64_t until_ns) {
  struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                           .tv_nsec = (long)(until_ns % NS_PER_S)};
  pthread_mutex_lock(&board->lock);
  while (memcmp(seen, &board->counts, sizeof *seen) == 0)
    if (pthread_cond_timedwait(&board->changed, &board->lock, &until) != 0)
      break;
  BoardCounts counts = board->counts;
  pthread_mutex_unlock(&board->lock);
  return counts;
}
