/* What the soak's two processes tell each other, over socket pairs that keep messages whole: a call
 * and its answer at a time on each. */
#ifndef RTC_SOAK_CONTROL_H
#define RTC_SOAK_CONTROL_H

#include "soak/figures.h"
#include "soak/plan.h"

typedef enum SoakVerb {
  SOAK_VERB_OPEN,      /* a session by plan and remote; answered by local and id */
  SOAK_VERB_CLOSE,     /* rtc_connection_close */
  SOAK_VERB_CLOSE_TCP, /* rtc_tcp_conn_close of the one that media takes */
  SOAK_VERB_RESTART,   /* rtc_connection_restart_ice, of remote; answered by local */
  SOAK_VERB_TRIM,      /* malloc gives free pages back; answered as FIGURES */
  SOAK_VERB_FIGURES,   /* answered by a SoakFigures */
  SOAK_VERB_QUIT,      /* answered when all of the server is gone, by a SoakFigures */
} SoakVerb;

typedef struct SoakRequest {
  SoakVerb verb;
  uint64_t id; /* the Connection's */
  SoakPlan plan;
  RtcSdpTransport remote;
} SoakRequest;

typedef struct SoakAnswer {
  RtcError error; /* NOT_FOUND: the session has ended */
  uint64_t id;
  uint16_t port;
  RtcSdpTransport local;
} SoakAnswer;

/* false: the other process has gone */
bool soak_control_send(int fd, const void *message, size_t len);
bool soak_control_receive(int fd, void *message, size_t len);

/* Blocks until the answer is there. */
bool soak_control_call(int fd, const SoakRequest *request, void *answer, size_t answer_len);

#endif
