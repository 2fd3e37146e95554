/* A walk: the library on a loop of its own, its peers, and the model beside them. */
#ifndef RTC_TEST_WALK_WALK_H
#define RTC_TEST_WALK_WALK_H

#include "transport/rtc_connection_internal.h"
#include "walk/event.h"
#include "walk/model.h"
#include "walk/peer.h"

#include <uv.h>

#define WALK_GENERATIONS_KEPT 8

typedef struct WalkIce {
  char ufrag[RTC_SDP_CREDENTIAL_MAX + 1]; /* the library's */
  char pwd[RTC_SDP_CREDENTIAL_MAX + 1];
  char remote_ufrag[32]; /* the peer's */
} WalkIce;

struct Walk;

typedef struct WalkSession {
  struct Walk *walk;         /* back */
  RtcConnection *connection; /* owned: held handles; with none of them borrowed, until CLOSED */
  unsigned held;             /* handles of the host */
  uint64_t id;
  bool opened;
  bool forged; /* the library was told of another certificate */
  WalkPeer peer;
  WalkIce ice[WALK_GENERATIONS_KEPT]; /* by generation */
  int generation;
  ModelHook hooks[MODEL_CALLBACKS];
  RtcStream *stream; /* borrowed: the Connection's; NULL: none */
  bool video;
  uint32_t ssrcs;  /* given to streams */
  uint64_t pushed; /* packets, in CONNECTED or not */

  RtcConnectionState told[16]; /* callbacks of this step, in order */
  size_t told_count;
  bool closed; /* CLOSED was told */
  uint64_t rtp, rtcp;
} WalkSession;

typedef struct WalkConn {
  int fd;          /* owned: the peer's end; -1: none */
  uint16_t port;   /* of the peer's end */
  int session;     /* that it is, or was, attached to */
  unsigned serial; /* of that */
  RtcTcpConn *tcp; /* owned: held handles; with none of them borrowed, until it is ENDED */
  bool reading;
  bool read_all_along;                                   /* in this step */
  bool eof;                                              /* the library has ended its side */
  bool fin;                                              /* the peer has ended its own */
  bool spoken;                                           /* the library has sent a frame */
  size_t octets_out;                                     /* sent by the peer, ever */
  uint16_t sequence;                                     /* of the last RTP */
  uint32_t ssrc;                                         /* of that; 0: none yet */
  ModelFrame frame;                                      /* the one that is begun */
  uint8_t out[RTC_FRAME_HEADER_LEN + RTC_FRAME_LEN_MAX]; /* its octets */
  size_t out_len, out_sent;                              /* [octets] */
  uint8_t in[2 * (RTC_FRAME_HEADER_LEN + RTC_FRAME_LEN_MAX)];
  size_t in_len; /* [octets] */
} WalkConn;

typedef struct WalkCall {
  int session;
  size_t told; /* states before it, in this turn */
} WalkCall;

typedef struct Walk {
  Model model;
  uv_loop_t loop;
  RtcWorker *worker;                  /* owned */
  RtcServer *server;                  /* owned */
  RtcShard *shard;                    /* borrowed: the server's */
  bool server_closed, worker_stopped; /* told */
  bool close_called;
  uint64_t handshakes; /* of servers that have gone */
  WalkSession sessions[MODEL_SESSIONS];
  WalkConn conns[MODEL_CONNS];
  unsigned acting;     /* hooks that run, one inside another */
  int turn_conn;       /* the library has not run since the last event, and this conn may go on */
  bool turn_flushes;   /* what waits for a peer goes out in it: see play.c */
  WalkCall called[64]; /* callbacks that the model does not foresee, in order */
  size_t called_count;
  size_t descriptors;  /* before there was anything */
  bool tells;          /* each event is printed */
  int64_t patience_us; /* for the kernel to deliver, when the two do not agree */
  char *why;           /* borrowed: out: what is wrong */
  size_t why_cap;
} Walk;

/* Ends the process: the walk has failed. */
_Noreturn void walk_fail(Walk *walk, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define WALK_FAILED 3 /* the process' exit status */

/* -- walk.c -- */
void walk_begin(Walk *walk);
/* false: it is not possible now, and nothing has happened */
bool walk_step(Walk *walk, const WalkEvent *event);
/* The library runs, and must agree. */
void walk_end_turn(Walk *walk);
/* Everything is closed and given back; all must be gone. */
void walk_end(Walk *walk);
/* Runs the loop and the peers until nothing moves any more. */
void walk_settle(Walk *walk);
/* Time passes, from deadline to deadline. */
void walk_pass(Walk *walk, int64_t duration_us);

/* -- host.c -- */
void walk_host_begin(Walk *walk, unsigned choice); /* a worker, if there is none, and a server */
void walk_host_finish(Walk *walk);                 /* the server, and a worker that has stopped */
void walk_host_close(Walk *walk);
void walk_host_drain(Walk *walk, uint32_t deadline_ms);
void walk_host_open(Walk *walk, int session, const WalkEvent *event);
void walk_host_open_in_vain(Walk *walk, const WalkEvent *event); /* the server ends */
/* What the host can get at; NULL: nothing. */
RtcConnection *walk_host_reach(Walk *walk, int session);
void walk_host_act(Walk *walk, int session, ModelAction action);
void walk_host_send(Walk *walk, int session, unsigned count, size_t len, bool rtcp);

/* -- conn.c -- */
void walk_conn_connect(Walk *walk, int conn, int address);
/* Sends a frame, or the beginning of it: cut octets. 0: all */
void walk_conn_send(Walk *walk, int conn, const ModelFrame *frame, const uint8_t *packet,
                    size_t len, size_t cut);
/* Sends the rest of the frame that is begun. */
void walk_conn_send_rest(Walk *walk, int conn);
void walk_conn_send_raw(Walk *walk, int conn, const void *octets, size_t len);
/* Reads what has come. false: nothing had */
bool walk_conn_read(Walk *walk, int conn);
void walk_conn_fin(Walk *walk, int conn);
void walk_conn_close(Walk *walk, int conn, bool reset);
/* The library's object behind this TCP conn; NULL: there is none. */
RtcTcpConn *walk_conn_find(const Walk *walk, int conn);
/* All that was sent has come to the library's socket. */
bool walk_conn_arrived(const Walk *walk, int conn);

/* -- play.c -- */
bool walk_play(Walk *walk, const WalkEvent *event);

/* -- check.c -- */
/* Compares the library with the model. NULL: they agree; else what differs: static */
const char *walk_check(Walk *walk);
/* Prints both, side by side. */
void walk_show(Walk *walk);

#endif
