/* The walk's events, as data: what is recorded can be played again, with some left out. */
#ifndef RTC_TEST_WALK_EVENT_H
#define RTC_TEST_WALK_EVENT_H

#include "walk/model.h"

/* name, weight among all, text */
#define WALK_EVENT_MAP(X)                                                                          \
  X(OPEN, 300, "the host opens a session")                                                         \
  X(ACT, 96, "the host acts")                                                                      \
  X(HOOK, 96, "the host will act")                                                                 \
  X(SEND, 160, "the host sends")                                                                   \
  X(REMOVE_STREAM, 12, "the host removes its stream")                                              \
  X(RETRANSMIT, 12, "the peer begins its flight again")                                            \
  X(CONNECT, 100, "the peer connects")                                                             \
  X(BIND, 280, "the peer binds")                                                                   \
  X(REST, 240, "the rest of a frame comes")                                                        \
  X(DTLS, 800, "a DTLS datagram comes")                                                            \
  X(MEDIA, 400, "media comes")                                                                     \
  X(ODD, 120, "something odd comes")                                                               \
  X(FOREIGN, 8, "what is not ICE comes")                                                           \
  X(STOP_READING, 32, "the peer stops reading")                                                    \
  X(READ, 48, "the peer reads again")                                                              \
  X(FIN, 12, "the peer ends its side")                                                             \
  X(CLOSE_SOCKET, 12, "the peer closes the socket")                                                \
  X(RESET, 12, "the peer resets")                                                                  \
  X(CLOSE_NOTIFY, 4, "close_notify comes")                                                         \
  X(FATAL_ALERT, 4, "a fatal alert comes")                                                         \
  X(CLOSE_TCP_CONN, 4, "the host closes a TCP conn that it holds")                                 \
  X(GIVE_BACK_TCP_CONN, 64, "the host gives a TCP conn back")                                      \
  X(TIME, 60, "time passes")                                                                       \
  X(DEADLINE, 16, "time passes to the next deadline")                                              \
  X(SILENCE, 2, "nothing happens for the session timeout")                                         \
  X(DRAIN, 1, "the host drains the server")                                                        \
  X(CLOSE_SERVER, 1, "the host closes the server")                                                 \
  X(STOP_WORKER, 1, "the host stops the worker")                                                   \
  X(RENEW, 240, "the host begins anew")

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
ModelAction walk_event_action(const WalkEvent *event);
ModelCallback walk_event_callback(const WalkEvent *event);
ModelHook walk_event_hook(const WalkEvent *event);

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
