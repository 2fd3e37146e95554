/* Frames and the phases of a run, see channel.h. */
#include "channel.h"

#include <stdio.h>

void channel_init(Channel *channel, uint32_t id, const char *name, uint16_t packets) {
  channel->id = id;
  channel->packets = packets;
  snprintf(channel->name, sizeof channel->name, "%s", name);
  atomic_init(&channel->next_frame, 0);
  for (size_t i = 0; i < PHASE_COUNT; i++)
    atomic_init(&channel->begins[i], i == PHASE_BEFORE_ALL ? 0 : CHANNEL_NO_FRAME);
}

void channel_begin(Channel *channel, Phase phase) {
  uint32_t frame = atomic_load(&channel->next_frame);
  /* From the last one: who sees a phase begun sees the ones before it begun. */
  for (size_t i = phase; i > PHASE_BEFORE_ALL; i--)
    if (atomic_load(&channel->begins[i]) == CHANNEL_NO_FRAME)
      atomic_store_explicit(&channel->begins[i], frame, memory_order_release);
}

static uint32_t phase_end(const Channel *channel, Phase phase) {
  if (phase == PHASE_AFTER_ALL)
    return CHANNEL_NO_FRAME;
  return atomic_load(&channel->begins[phase + 1]);
}

uint64_t channel_packets(const Channel *channel, Phase phase, uint32_t from, uint32_t until) {
  uint32_t sent = atomic_load(&channel->next_frame);
  uint32_t begin = atomic_load(&channel->begins[phase]);
  uint32_t end = phase_end(channel, phase);
  if (begin < from)
    begin = from;
  if (end > until)
    end = until;
  if (end > sent)
    end = sent;
  return end > begin ? (uint64_t)(end - begin) * channel->packets : 0;
}
