/* What the pair's life should be: a small model of sessions and TCP conns, without sockets, DTLS or
 * memory. The walk tells it each event, and then compares the library with it.
 *
 * Sessions and TCP conns are named by their places. Times are of the walk's clock [us]. */
#ifndef RTC_TEST_WALK_MODEL_H
#define RTC_TEST_WALK_MODEL_H

#include <rtctcp/connection.h>

#define MODEL_SESSIONS  4
#define MODEL_CONNS     12
#define MODEL_ADDRESSES 3 /* that TCP conns come from */
#define MODEL_NONE      (-1)
#define MODEL_NEVER     INT64_MAX

#define MODEL_STRANGERS_MAX             6
#define MODEL_STRANGERS_PER_ADDRESS_MAX 3
#define MODEL_OWED_MAX                  16

/* The host's callbacks. */
#define MODEL_CALLBACK_MAP(X)                                                                      \
  X(CONNECTING, "connecting")                                                                      \
  X(CONNECTED, "connected")                                                                        \
  X(DISCONNECTED, "disconnected")                                                                  \
  X(CLOSED, "closed")                                                                              \
  X(RTP, "rtp")                                                                                    \
  X(RTCP, "rtcp")                                                                                  \
  X(KEYFRAME, "keyframe-wanted")

typedef enum ModelCallback {
#define MODEL_CALLBACK_ENUM(name, text) MODEL_CALLBACK_##name,
  MODEL_CALLBACK_MAP(MODEL_CALLBACK_ENUM)
#undef MODEL_CALLBACK_ENUM
      MODEL_CALLBACKS
} ModelCallback;

/* What the host may do from inside a callback, to the same session or another one. */
#define MODEL_ACTION_MAP(X)                                                                        \
  X(NOTHING, "nothing")                                                                            \
  X(CLOSE, "close")                                                                                \
  X(CLOSE_TCP_CONN, "close-tcp-conn")                                                              \
  X(GIVE_BACK, "give-back")                                                                        \
  X(HOLD, "hold")                                                                                  \
  X(HOLD_TCP_CONN, "hold-tcp-conn")                                                                \
  X(RESTART, "restart")                                                                            \
  X(SEND, "send")

typedef enum ModelAction {
#define MODEL_ACTION_ENUM(name, text) MODEL_ACTION_##name,
  MODEL_ACTION_MAP(MODEL_ACTION_ENUM)
#undef MODEL_ACTION_ENUM
      MODEL_ACTIONS
} ModelAction;

/* Done once, in the next callback of its kind. */
typedef struct ModelHook {
  ModelAction action;
  int target; /* a session */
} ModelHook;

typedef enum ModelConnState {
  MODEL_CONN_FREE,
  MODEL_CONN_FIRST_FRAME,
  MODEL_CONN_PACKETS,
  MODEL_CONN_ENDED, /* the library has let go of it; the host or the peer may not have */
} ModelConnState;

typedef struct ModelConn {
  ModelConnState state;
  RtcTcpClose close; /* in ENDED */
  int session;       /* in PACKETS */
  int address;
  int64_t heard_us; /* or accepted */
  int early_frames;
  bool restarted;           /* has proven the credentials of the pending ICE restart */
  bool contends;            /* nominated, and outranked by the selected one */
  unsigned priority;        /* of its nomination; 0: none */
  unsigned serial;          /* of all conns of the walk: the newer has the greater one */
  unsigned held;            /* handles of the host */
  int owed[MODEL_OWED_MAX]; /* answers that were not read yet: 0 or an error code, oldest first */
  size_t owed_count;
} ModelConn;

typedef struct ModelSession {
  bool used;
  unsigned serial; /* of all sessions of the walk */
  RtcConnectionState state;
  RtcClose close;
  unsigned held;  /* handles of the host */
  unsigned conns; /* attached ones, as bits */
  int selected;
  bool keys; /* the handshake has ended here */
  int64_t deadline_us;
  int generation; /* of ICE credentials, the last made */
  int current;    /* generation in use */
  int pending;    /* that of a restart which awaits a nomination */
  bool notifies;  /* it ended with keys and a TCP conn: the peer is told */
  int last_conn;  /* that one */
  ModelHook hooks[MODEL_CALLBACKS];

  RtcConnectionState told[16]; /* callbacks of this step, in order */
  size_t told_count;
  uint64_t rtp, rtcp;             /* callbacks */
  uint64_t drops[RTC_DROP_COUNT]; /* of those that a peer brings about */
} ModelSession;

typedef struct Model {
  int64_t now_us;
  int64_t first_frame_us, session_us, grace_us; /* the server's timeouts */
  bool takes_foreign;
  bool open; /* the server serves; else it closes, or has closed */
  bool draining;
  bool close_asked; /* by a drain or a close */
  bool worker_stops;
  int64_t drain_us; /* its deadline */
  unsigned serials;
  ModelSession sessions[MODEL_SESSIONS];
  ModelConn conns[MODEL_CONNS];
  uint64_t closes[RTC_CLOSE_COUNT];
  uint64_t tcp_closes[RTC_TCP_CLOSE_COUNT];
  unsigned accepted; /* conns, in all */
} Model;

/* What a frame of a peer is to the library, once all of it has come. */
#define MODEL_FRAME_MAP(X)                                                                         \
  X(BIND, "binding request")                                                                       \
  X(INDICATION, "binding indication")                                                              \
  X(BAD_STUN, "broken STUN")                                                                       \
  X(DTLS, "DTLS")                                                                                  \
  X(BAD_DTLS, "broken DTLS")                                                                       \
  X(CLOSE_NOTIFY, "close_notify")                                                                  \
  X(FATAL_ALERT, "fatal alert")                                                                    \
  X(RTP, "RTP")                                                                                    \
  X(RTCP, "RTCP")                                                                                  \
  X(FORGED_MEDIA, "forged media")                                                                  \
  X(REPLAYED_MEDIA, "replayed media")                                                              \
  X(UNKNOWN, "unknown packet")

typedef enum ModelFrameKind {
#define MODEL_FRAME_ENUM(name, text) MODEL_FRAME_##name,
  MODEL_FRAME_MAP(MODEL_FRAME_ENUM)
#undef MODEL_FRAME_ENUM
} ModelFrameKind;

typedef struct ModelFrame {
  ModelFrameKind kind;
  /* BIND */
  int session; /* which it names */
  unsigned serial;
  int generation;
  bool wrong_password, controlled, nominates;
  unsigned priority; /* 1 and up */
  /* DTLS */
  unsigned flight;
  size_t datagram;
} ModelFrame;

/* A new server. */
void model_begin(Model *model, int64_t grace_us, bool takes_foreign);

void model_open(Model *model, int session);
void model_accept(Model *model, int conn, int address);
void model_frame(Model *model, int conn, const ModelFrame *frame);
/* The TCP conn ends by itself: FIN, reset, a frame too long, what is not ICE. */
void model_lost(Model *model, int conn, RtcTcpClose close);
/* The handshake has ended in the library. */
void model_connected(Model *model, int session);
/* It has ended for a reason that only DTLS knows. */
void model_end(Model *model, int session, RtcClose close);

/* The host's. */
void model_act(Model *model, int session, ModelAction action);
void model_close_tcp_conn(Model *model, int conn);
/* A callback that the model does not foresee has come. */
void model_called(Model *model, int session, ModelCallback callback);
void model_drain(Model *model, int64_t deadline_us);
void model_close(Model *model);

/* The next time at which something happens by itself; MODEL_NEVER: nothing will. */
int64_t model_deadline(const Model *model);
/* It has come. */
void model_time_passes(Model *model);

/* -- Questions -- */

bool model_alive(const Model *model, int session);     /* used, and not CLOSED */
bool model_reachable(const Model *model, int session); /* the host can get at it */
bool model_ended(const Model *model, int conn);
/* The server has closed, and every handle was given back. */
bool model_gone(const Model *model);
size_t model_count(const Model *model, ModelConnState state);

const char *model_callback_name(ModelCallback callback);
const char *model_action_name(ModelAction action);
const char *model_frame_name(ModelFrameKind kind);

#endif
