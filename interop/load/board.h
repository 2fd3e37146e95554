/* How many sessions have come how far: what the workers tell, and the main thread waits for.
 * Any thread. */
#ifndef LOAD_BOARD_H
#define LOAD_BOARD_H

#include "histogram.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_ERRORS_MAX    16 /* different ones that are told */
#define BOARD_ERROR_LEN_MAX 160

#define BOARD_EVENT_MAP(X)                                                                         \
  X(BEGUN, begun)         /* to be set up */                                                       \
  X(CONNECTED, connected) /* for the first time */                                                 \
  X(READY, ready)         /* a player's first keyframe has come */                                 \
  X(FAILED, failed)       /* not connected, and will not be */                                     \
  X(LOST, lost)           /* was connected, and closed without being ended here */                 \
  X(NOT_ENDED, not_ended) /* its DELETE went wrong */                                              \
  X(ENDED, ended)         /* nothing is left of it */

typedef enum BoardEvent {
#define BOARD_EVENT_ENUM(name, field) BOARD_##name,
  BOARD_EVENT_MAP(BOARD_EVENT_ENUM)
#undef BOARD_EVENT_ENUM
      BOARD_EVENT_COUNT
} BoardEvent;

typedef struct BoardError {
  char what[BOARD_ERROR_LEN_MAX];
  uint64_t count;
} BoardError;

typedef struct BoardCounts {
#define BOARD_EVENT_FIELD(name, field) size_t field;
  BOARD_EVENT_MAP(BOARD_EVENT_FIELD)
#undef BOARD_EVENT_FIELD
} BoardCounts;

typedef struct Board {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  BoardCounts counts;
  uint64_t last_connected_ns;
  Histogram setup; /* from the POST to CONNECTED [ns] */
  BoardError errors[BOARD_ERRORS_MAX];
  size_t error_count;
  uint64_t errors_left_out;
} Board;

void board_init(Board *board);
void board_finish(Board *board);

void board_count(Board *board, BoardEvent event);
void board_connected(Board *board, uint64_t setup_ns);
/* The same text again is counted. */
void board_error(Board *board, const char *format, ...) __attribute__((format(printf, 2, 3)));

BoardCounts board_counts(Board *board);
/* Waits until something is counted, or until_ns. Returns what has been counted. */
BoardCounts board_wait(Board *board, const BoardCounts *seen, uint64_t until_ns);

#endif
