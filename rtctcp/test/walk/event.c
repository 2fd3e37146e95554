/* Events at random. */
#include "walk/event.h"

#include "walk/model.h"

static const struct {
  unsigned weight;
  const char *text;
} kinds[] = {
#define KIND(name, weight, text) {weight, text},
    WALK_EVENT_MAP(KIND)
#undef KIND
};

unsigned walk_event_weight(WalkEventKind kind) {
  return kinds[kind].weight;
}

const char *walk_event_text(WalkEventKind kind) {
  return kinds[kind].text;
}

/* splitmix64 */
uint64_t walk_random(WalkRandom *random) {
  uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

uint32_t walk_random_below(WalkRandom *random, uint32_t end) {
  return (uint32_t)((walk_random(random) >> 32) * end >> 32);
}

static uint8_t random_kind(WalkRandom *random) {
  unsigned all = 0;
  for (int kind = 0; kind < WALK_EVENT_COUNT; kind++)
    all += kinds[kind].weight;
  unsigned left = walk_random_below(random, all);
  uint8_t kind = 0;
  while (left >= kinds[kind].weight)
    left -= kinds[kind++].weight;
  return kind;
}

/* Most frames come whole; of the others many end in their first octets. */
static uint16_t random_cut(WalkRandom *random) {
  if (walk_random_below(random, 8) != 0)
    return 0;
  return (uint16_t)(1 + walk_random_below(random, walk_random_below(random, 2) ? 4 : 400));
}

void walk_random_place(WalkRandom *random, WalkEvent *event) {
  event->session = (uint8_t)walk_random_below(random, MODEL_SESSIONS);
  event->conn = (uint8_t)walk_random_below(random, MODEL_CONNS);
}

WalkEvent walk_random_event(WalkRandom *random) {
  WalkEvent event = {.kind = random_kind(random)};
  event.choice = (uint8_t)walk_random_below(random, 256);
  event.cut = random_cut(random);
  event.more = (uint16_t)walk_random_below(random, 65536);
  walk_random_place(random, &event);
  return event;
}
