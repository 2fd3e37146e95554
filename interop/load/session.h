/* One WHIP or WHEP session on its worker: offer, POST, answer, ICE, DTLS, media or not, DELETE.
 * It ends in one way: session_end, or its own failure; then it tells its board, and frees itself.
 * Thread: its worker's. */
#ifndef LOAD_SESSION_H
#define LOAD_SESSION_H

#include "crew.h"
#include "relay.h"

/* Named by what is awaited. */
typedef enum SessionState {
  SESSION_STATE_ANSWER,     /* the answer to its POST */
  SESSION_STATE_RETRY,      /* the time of its next POST: the server has not had the stream yet */
  SESSION_STATE_CONNECTION, /* ICE and DTLS */
  SESSION_STATE_END,        /* connected: whoever ends it */
  SESSION_STATE_DELETION,   /* the answer to its DELETE */
} SessionState;

typedef struct SessionAnswer {
  long status;
  char *error;    /* owned; NULL: it was answered */
  char *location; /* owned; NULL: none */
  char *body;     /* owned */
  size_t body_len;
} SessionAnswer;

typedef struct Session {
  CrewWorker *worker; /* back */
  SessionPlan plan;
  SessionState state;
  bool end_wanted;           /* while its POST is under way */
  bool connected_once;       /* its board was told */
  bool failed;               /* likewise: that it failed, or was lost */
  bool lost;                 /* what was expected of it is in the meters already */
  size_t index;              /* in the worker's list */
  RtcConnection *connection; /* owned */
  char *location;            /* owned; NULL: none */
  Relay *relay;              /* owned; NULL: none */
  Publisher *publisher;      /* owned; NULL: none */
  SessionAnswer answer;      /* on its way from the HTTP thread */
  uint32_t ssrc;             /* of what it sends: media, reports */
  uint64_t begun_ns, retry_ns, connected_ns, reported_ns;
  Reception reception;
  Recovery recovery;
} Session;

/* Opens a session; from here on its board hears of it. Frees plan's memory in no case. */
void session_open(CrewWorker *worker, const SessionPlan *plan);

/* Sends DELETE, and when that is answered, or can't be sent, it is gone. May be called twice. */
void session_end(Session *session);

/* Now and then: time-outs, reports, requests for keyframes. It may end the session. */
void session_visit(Session *session, uint64_t now_ns);

#endif
