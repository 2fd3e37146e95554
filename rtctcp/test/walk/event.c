/* Events: what their numbers mean, and how they are drawn. */
#include "walk/event.h"

#include <stdio.h>

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

/* -- Their meaning -- */

WalkBind walk_event_bind(const WalkEvent *event) {
  static const WalkBind ways[16] = {
      [9] = WALK_BIND_PENDING, WALK_BIND_PENDING,    WALK_BIND_OLD,  WALK_BIND_WRONG_PASSWORD,
      WALK_BIND_UNKNOWN,       WALK_BIND_CONTROLLED, WALK_BIND_OTHER};
  return ways[event->choice % 16];
}

bool walk_event_nominates(const WalkEvent *event) {
  return event->more % 3 == 0;
}

unsigned walk_event_priority(const WalkEvent *event) {
  return 1 + event->more / 3 % 3;
}

/* The action whose choices end behind this one. */
static ModelAction action_at(const uint8_t ends[MODEL_ACTIONS], unsigned choice) {
  for (int action = 0; action < MODEL_ACTIONS; action++)
    if (choice < ends[action])
      return (ModelAction)action;
  return MODEL_ACTION_NOTHING;
}

/* Few ends, so that sessions live for a while. */
ModelAction walk_event_action(const WalkEvent *event) {
  static const uint8_t ends[MODEL_ACTIONS] = {
      [MODEL_ACTION_CLOSE] = 2, [MODEL_ACTION_CLOSE_TCP_CONN] = 4,  [MODEL_ACTION_GIVE_BACK] = 64,
      [MODEL_ACTION_HOLD] = 96, [MODEL_ACTION_HOLD_TCP_CONN] = 144, [MODEL_ACTION_RESTART] = 176};
  return action_at(ends, event->choice);
}

ModelCallback walk_event_callback(const WalkEvent *event) {
  return event->choice % MODEL_CALLBACKS;
}

/* In callbacks that come often, and from deep inside, more of them end a session. */
ModelHook walk_event_hook(const WalkEvent *event) {
  static const uint8_t mild[MODEL_ACTIONS] = {
      [MODEL_ACTION_CLOSE] = 3,          [MODEL_ACTION_CLOSE_TCP_CONN] = 6,
      [MODEL_ACTION_GIVE_BACK] = 12,     [MODEL_ACTION_HOLD] = 16,
      [MODEL_ACTION_HOLD_TCP_CONN] = 22, [MODEL_ACTION_RESTART] = 28,
      [MODEL_ACTION_SEND] = UINT8_MAX};
  static const uint8_t harsh[MODEL_ACTIONS] = {
      [MODEL_ACTION_CLOSE] = 12,     [MODEL_ACTION_CLOSE_TCP_CONN] = 20,
      [MODEL_ACTION_GIVE_BACK] = 24, [MODEL_ACTION_HOLD_TCP_CONN] = 28,
      [MODEL_ACTION_RESTART] = 32,   [MODEL_ACTION_SEND] = UINT8_MAX};
  bool often = walk_event_callback(event) >= MODEL_CALLBACK_RTP;
  bool own = event->more % 2;
  return (ModelHook){.action = action_at(often ? harsh : mild, event->choice / MODEL_CALLBACKS),
                     .target = own ? event->session : event->more / 2 % MODEL_SESSIONS};
}

bool walk_event_is_of_stream(const WalkEvent *event) {
  return event->kind == WALK_EVENT_BIND || event->kind == WALK_EVENT_REST ||
         event->kind == WALK_EVENT_DTLS || event->kind == WALK_EVENT_MEDIA ||
         event->kind == WALK_EVENT_ODD || event->kind == WALK_EVENT_FIN;
}

bool walk_event_may_begin_turn(const WalkEvent *event) {
  return event->kind == WALK_EVENT_BIND || event->kind == WALK_EVENT_MEDIA ||
         event->kind == WALK_EVENT_ODD || event->kind == WALK_EVENT_READ ||
         event->kind == WALK_EVENT_ACT || event->kind == WALK_EVENT_SEND ||
         event->kind == WALK_EVENT_CLOSE_NOTIFY || event->kind == WALK_EVENT_FATAL_ALERT ||
         event->kind == WALK_EVENT_CLOSE_TCP_CONN || event->kind == WALK_EVENT_GIVE_BACK_TCP_CONN;
}

static int describe_host(const WalkEvent *event, char *text, size_t cap) {
  ModelHook hook = walk_event_hook(event);
  switch (event->kind) {
  case WALK_EVENT_OPEN:
    return snprintf(text, cap, "session %u (choice %u, more %u)", event->session, event->choice,
                    event->more);
  case WALK_EVENT_ACT:
    return snprintf(text, cap, "session %u: %s", event->session,
                    model_action_name(walk_event_action(event)));
  case WALK_EVENT_HOOK:
    return snprintf(text, cap, "session %u: in the next callback of %s: %s, session %d",
                    event->session, model_callback_name(walk_event_callback(event)),
                    model_action_name(hook.action), hook.target);
  case WALK_EVENT_SEND:
  case WALK_EVENT_RETRANSMIT:
  case WALK_EVENT_REMOVE_STREAM:
    return snprintf(text, cap, "session %u (choice %u, more %u)", event->session, event->choice,
                    event->more);
  default:
    return snprintf(text, cap, "(choice %u, more %u)", event->choice, event->more);
  }
}

static int describe_peer(const WalkEvent *event, char *text, size_t cap) {
  static const char *const binds[] = {
#define NAME(name, text) text,
      WALK_BIND_MAP(NAME)
#undef NAME
  };
  if (event->kind == WALK_EVENT_BIND)
    return snprintf(text, cap, "conn %u: session %u, %s%s", event->conn, event->session,
                    binds[walk_event_bind(event)],
                    walk_event_nominates(event) ? ", nominates" : "");
  return snprintf(text, cap, "conn %u (choice %u, more %u)", event->conn, event->choice,
                  event->more);
}

void walk_event_describe(const WalkEvent *event, char *text, size_t cap) {
  bool of_conn = event->kind >= WALK_EVENT_CONNECT && event->kind <= WALK_EVENT_GIVE_BACK_TCP_CONN;
  int len = snprintf(text, cap, "%-36s ", walk_event_text(event->kind));
  len += of_conn ? describe_peer(event, text + len, cap - (size_t)len)
                 : describe_host(event, text + len, cap - (size_t)len);
  if (event->cut && of_conn)
    len += snprintf(text + len, cap - (size_t)len, ", cut after %u", event->cut);
  if (event->together)
    snprintf(text + len, cap - (size_t)len, ", in one turn with:");
}

/* -- Drawing -- */

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
  event.together = walk_event_may_begin_turn(&event) && walk_random_below(random, 3) == 0;
  walk_random_place(random, &event);
  return event;
}
