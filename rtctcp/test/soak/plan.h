/* What is to become of one session. It is drawn from the seed and the session's ticket, and told to
 * the server's process when the session is opened. */
#ifndef RTC_SOAK_PLAN_H
#define RTC_SOAK_PLAN_H

#include <rtctcp/rtctcp.h>

#define SOAK_REASON(name) (1u << RTC_CLOSE_##name)

/* X(name, text, weight, the reasons with which the Connection may close) */
#define SOAK_ENDING_MAP(X)                                                                         \
  X(NEVER_CONNECTS, "the peer never connects", 3, SOAK_REASON(NEVER_CONNECTED))                    \
  X(CUT_HANDSHAKE, "cut before or in the handshake", 12,                                           \
    SOAK_REASON(TCP_LOST) | SOAK_REASON(NEVER_CONNECTED))                                          \
  X(WRONG_FINGERPRINT, "another certificate", 3, SOAK_REASON(FINGERPRINT))                         \
  X(HOST_CLOSES, "host closes the Connection", 12, SOAK_REASON(HOST))                              \
  X(HOST_CLOSES_TCP, "host closes the TCP conn", 10, SOAK_REASON(HOST))                            \
  X(HOST_IN_CALLBACK, "host closes in a callback", 14, SOAK_REASON(HOST))                          \
  X(CLOSE_NOTIFY, "close_notify", 14, SOAK_REASON(PEER))                                           \
  X(FATAL_ALERT, "fatal alert", 8, SOAK_REASON(PEER_ALERT))                                        \
  X(BOTH_CLOSE, "host and peer close at once", 4, SOAK_REASON(HOST) | SOAK_REASON(PEER))           \
  X(FIN, "FIN, and the grace runs out", 7, SOAK_REASON(TCP_LOST))                                  \
  X(HALF_CLOSE, "half-close, and the grace runs out", 5, SOAK_REASON(TCP_LOST))                    \
  X(RST, "RST, and the grace runs out", 7, SOAK_REASON(TCP_LOST))                                  \
  X(SILENCE, "silence until the timeout", 3, SOAK_REASON(TIMEOUT))

typedef enum SoakEnding {
#define SOAK_ENDING_ENUM(name, text, weight, reasons) SOAK_ENDING_##name,
  SOAK_ENDING_MAP(SOAK_ENDING_ENUM)
#undef SOAK_ENDING_ENUM
      SOAK_ENDING_COUNT
} SoakEnding;

const char *soak_ending_text(SoakEnding ending);
unsigned soak_ending_reasons(SoakEnding ending);

/* What a session lives through before its end; X(name, text). */
#define SOAK_EVENT_MAP(X)                                                                          \
  X(ECHO, "RTP and RTCP echoed by the host")                                                       \
  X(PUBLISH, "publishes a source")                                                                 \
  X(PLAY, "plays a source")                                                                        \
  X(FULL_QUEUE, "the send queue is full, the peer does not read")                                  \
  X(COME_BACK, "loses its TCP conn and comes back")                                                \
  X(COME_BACK_EARLY, "the same in the handshake")                                                  \
  X(MORE_CONNS, "two to five TCP conns")                                                           \
  X(FALL_OVER, "loses the selected of several TCP conns")                                          \
  X(RESTART, "ICE restart")                                                                        \
  X(RESTART_LEFT, "ICE restart, left without a nomination")                                        \
  X(STRANGER, "a first frame that is garbage, forged or not ICE")                                  \
  X(SILENT_STRANGER, "a stranger that never says anything")

typedef enum SoakEvent {
#define SOAK_EVENT_ENUM(name, text) SOAK_EVENT_##name,
  SOAK_EVENT_MAP(SOAK_EVENT_ENUM)
#undef SOAK_EVENT_ENUM
      SOAK_EVENT_COUNT
} SoakEvent;

const char *soak_event_text(SoakEvent event);

typedef enum SoakRole {
  SOAK_ROLE_ECHO,      /* the host sends back what comes */
  SOAK_ROLE_PUBLISHER, /* of a source of its own */
  SOAK_ROLE_PLAYER,    /* of a source of the same worker */
} SoakRole;

/* The callback in which the host ends the session. */
typedef enum SoakMoment {
  SOAK_MOMENT_NONE,
  SOAK_MOMENT_CONNECTING,
  SOAK_MOMENT_CONNECTED,
  SOAK_MOMENT_RTP,
  SOAK_MOMENT_RTCP,
  SOAK_MOMENT_DISCONNECTED,
  SOAK_MOMENT_COUNT
} SoakMoment;

typedef struct SoakPlan {
  uint64_t ticket;
  SoakEnding ending;
  SoakRole role;
  SoakMoment moment;
  bool closes_tcp;   /* at the moment: rtc_tcp_conn_close, not rtc_connection_close */
  bool fills_queue;  /* the host sends much as soon as it can */
  bool keeps_handle; /* the host keeps its handle until CLOSED, instead of letting go at once */
  bool keeps_tcp;    /* the host keeps a handle of the TCP conn until CLOSED */
  uint32_t choice;   /* for what the host chooses at random */
} SoakPlan;

SoakPlan soak_plan_draw(uint64_t seed, uint64_t ticket);

#endif
