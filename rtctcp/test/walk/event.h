/* The walk's events, as data: what is recorded can be played again, with some left out. */
#ifndef RTC_TEST_WALK_EVENT_H
#define RTC_TEST_WALK_EVENT_H

#include "walk/model.h"

/* name, weight among all, text */
#define WALK_EVENT_MAP(X)                                                                          \
  X(OPEN, 600, "the host opens a session")                                                         \
  X(ACT, 192, "the host acts")                                                                     \
  X(HOOK, 192, "the host will act")                                                                \
  X(SEND, 320, "the host sends")                                                                   \
  X(REMOVE_STREAM, 24, "the host removes its stream")                                              \
  X(RETRANSMIT, 24, "the peer begins its flight again")                                            \
  X(CONNECT, 200, "the peer connects")                                                             \
  X(BIND, 560, "the peer binds")                                                                   \
  X(REST, 480, "the rest of a frame comes")                                                        \
  X(DTLS, 1600, "a DTLS datagram comes")                                                           \
  X(MEDIA, 800, "media comes")                                                                     \
  X(ODD, 240, "something odd comes")                                                               \
  X(FOREIGN, 16, "what is not ICE comes")                                                          \
  X(STOP_READING, 64, "the peer stops reading")                                                    \
  X(READ, 96, "the peer reads again")                                                              \
  X(FIN, 24, "the peer ends its side")                                                             \
  X(CLOSE_SOCKET, 24, "the peer closes the socket")                                                \
  X(RESET, 24, "the peer resets")                                                                  \
  X(CLOSE_NOTIFY, 8, "close_notify comes")                                                         \
  X(FATAL_ALERT, 8, "a fatal alert comes")                                                         \
  X(CLOSE_TCP_CONN, 8, "the host closes a TCP conn that it holds")                                 \
  X(GIVE_BACK_TCP_CONN, 128, "the host gives a TCP conn back")                                     \
  X(TIME, 120, "time passes")                                                                      \
  X(DEADLINE, 20, "time passes to the next deadline")                                              \
  X(SILENCE, 1, "nothing happens for the session timeout")                                         \
  X(DRAIN, 1, "the host drains the server")                                                        \
  X(CLOSE_SERVER, 1, "the host closes the server")                                                 \
  X(STOP_WORKER, 1, "the host stops the worker")                                                   \
  X(RENEW, 480, "the host begins anew")

typedef enum WalkEventKind {
#define WALK_EVENT_ENUM(name, weight, text) WALK_EVENT_##name,
  WALK_EVENT_MAP(WALK_EVENT_ENUM)
#undef WALK_EVENT_ENUM
      WALK_EVENT_COUNT
} WalkEventKind;

typedef struct WalkEvent {
  uint8_t kind;
  uint8_t session;
  uint8_t conn;
  uint8_t choice; /* which of the kind's ways */
  uint16_t cut;   /* a frame stops after so many octets; 0: it comes whole */
  uint16_t more;  /* a size, a time, ... */
  bool together;  /* the library does not run before the next event, if that can be */
} WalkEvent;

unsigned walk_event_weight(WalkEventKind kind);
const char *walk_event_text(WalkEventKind kind);

/* With which credentials a binding request is made. */
#define WALK_BIND_MAP(X)                                                                           \
  X(IN_USE, "those in use")                                                                        \
  X(PENDING, "those of the restart")                                                               \
  X(OLD, "earlier ones")                                                                           \
  X(WRONG_PASSWORD, "a wrong password")                                                            \
  X(UNKNOWN, "an unknown ufrag")                                                                   \
  X(CONTROLLED, "those in use, controlled")                                                        \
  X(OTHER, "another session's")

typedef enum WalkBind {
#define WALK_BIND_ENUM(name, text) WALK_BIND_##name,
  WALK_BIND_MAP(WALK_BIND_ENUM)
#undef WALK_BIND_ENUM
} WalkBind;

/* -- What an event's numbers mean -- */

WalkBind walk_event_bind(const WalkEvent *event);
bool walk_event_nominates(const WalkEvent *event);
unsigned walk_event_priority(const WalkEvent *event); /* 1 to 3 */
ModelAction walk_event_action(const WalkEvent *event);
ModelCallback walk_event_callback(const WalkEvent *event);
ModelHook walk_event_hook(const WalkEvent *event);

/* Octets that a peer sends on a TCP conn. */
bool walk_event_is_of_stream(const WalkEvent *event);
/* Nothing but the library's own turn is needed to know what comes of it, and of what follows. */
bool walk_event_may_begin_turn(const WalkEvent *event);

/* A line for a person. */
void walk_event_describe(const WalkEvent *event, char *text, size_t cap);

/* -- Numbers at random -- */

typedef struct WalkRandom {
  uint64_t state;
} WalkRandom;

uint64_t walk_random(WalkRandom *random);
uint32_t walk_random_below(WalkRandom *random, uint32_t end);

/* An event of any kind, which may not be possible. */
WalkEvent walk_random_event(WalkRandom *random);
/* The same kind once more, elsewhere. */
void walk_random_place(WalkRandom *random, WalkEvent *event);

#endif
