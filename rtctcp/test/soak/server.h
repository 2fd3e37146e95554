/* The soak's server process: a host of the library on its public headers alone. It opens and ends
 * sessions as it is told, and answers what it holds. */
#ifndef RTC_SOAK_SERVER_H
#define RTC_SOAK_SERVER_H

#include "soak/control.h"

#define SOAK_WORKERS_MAX 8

typedef struct SoakServerConfig {
  unsigned workers;
  uint32_t session_timeout_ms;
  uint32_t first_frame_timeout_ms;
  uint32_t grace_ms;
  const int *channels; /* borrowed: the i-th one's sessions live on worker i % workers */
  size_t channel_count;
} SoakServerConfig;

/* Serves until it is told to quit or a channel breaks. returns the process's exit status */
int soak_server_run(const SoakServerConfig *config);

#endif
