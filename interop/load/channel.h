/* A published stream, as its publisher and its players on other threads share it: which of its
 * frames belong to which phase of the run. So a packet is counted for the phase that it was sent
 * in, whenever it arrives, and what is expected of a phase is known exactly. */
#ifndef LOAD_CHANNEL_H
#define LOAD_CHANNEL_H

#include <stdatomic.h>
#include <stdint.h>

#define CHANNEL_NAME_MAX 64

typedef enum Phase {
  PHASE_BEFORE_ALL, /* set-up and warm-up: not told */
  PHASE_FIRST,
  PHASE_SECOND,
  PHASE_THIRD,
  PHASE_AFTER_ALL, /* not told */
  PHASE_COUNT,
} Phase;

#define CHANNEL_NO_FRAME UINT32_MAX

typedef struct Channel {
  uint32_t id;
  uint16_t packets; /* a frame, from the first phase on */
  char name[CHANNEL_NAME_MAX];
  /* Written on the publisher's thread only: */
  _Atomic uint32_t next_frame;
  _Atomic uint32_t begins[PHASE_COUNT]; /* each phase's first frame; CHANNEL_NO_FRAME: not yet */
} Channel;

void channel_init(Channel *channel, uint32_t id, const char *name, uint16_t packets);

/* The next frame is this phase's first; phases that were left out are empty. On the publisher's
 * thread. */
void channel_begin(Channel *channel, Phase phase);

/* The packets of a phase among the frames from (with it) to until (without it). */
uint64_t channel_packets(const Channel *channel, Phase phase, uint32_t from, uint32_t until);

/* The phase of a frame that is not of one before this one. */
static inline Phase channel_phase(const Channel *channel, Phase phase, uint32_t frame) {
  while (phase < PHASE_AFTER_ALL &&
         frame >= atomic_load_explicit(&channel->begins[phase + 1], memory_order_acquire))
    phase++;
  return phase;
}

#endif
