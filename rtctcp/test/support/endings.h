/* Every ending of a session at every moment of its life: the cells of a matrix, each a session over
 * real sockets that is brought to the moment, ended, and compared with what is written down for it.
 *
 * With RTC_TEST_MATRIX set in the environment, what was observed is appended to the file that it
 * names, as a table. */
#ifndef RTC_TEST_ENDINGS_H
#define RTC_TEST_ENDINGS_H

#include "support/host.h"

#include <semaphore.h>

#define ENDINGS_STATES_MAX 8
#define ENDINGS_CONNS_MAX  2

/* The matrix's columns. */
#define ENDING_MAP(X)                                                                              \
  X(HOST_CONNECTION, "host closes Connection")                                                     \
  X(HOST_TCP_CONN, "host closes TcpConn")                                                          \
  X(CLOSE_NOTIFY, "close_notify")                                                                  \
  X(FATAL_ALERT, "fatal alert")                                                                    \
  X(FIN, "FIN")                                                                                    \
  X(RST, "RST")                                                                                    \
  X(HALF_CLOSE, "half-close")                                                                      \
  X(SILENCE, "silence")                                                                            \
  X(SECOND_CONN, "second conn")                                                                    \
  X(ICE_RESTART, "ICE restart")                                                                    \
  X(WORKER_STOP, "worker stop")                                                                    \
  X(SERVER_CLOSE, "server close")                                                                  \
  X(SERVER_DRAIN, "server drain")

typedef enum Ending {
#define ENDING_ENUM(name, text) ENDING_##name,
  ENDING_MAP(ENDING_ENUM)
#undef ENDING_ENUM
      ENDING_COUNT
} Ending;

/* What the session and its first TCP conn are when the ending comes: all that its outcome depends
 * on. "Unread" is what waits in the socket while the worker is busy. */
typedef enum EndingStage {
  STAGE_STRANGER,      /* NEW; the TCP conn is accepted, and has sent nothing */
  STAGE_HALF_REQUEST,  /* the same, with half of its binding request */
  STAGE_SHAKING,       /* CONNECTING */
  STAGE_UP,            /* CONNECTED */
  STAGE_AWAY,          /* DISCONNECTED, after a FIN */
  STAGE_AWAY_SHAKING,  /* DISCONNECTED, after a RST in the handshake, with a flight lost */
  STAGE_OVER,          /* CLOSED by the host, not disposed of yet */
  STAGE_UNREAD_NOTIFY, /* CONNECTED */
  STAGE_UNREAD_FIN,    /* CONNECTED */
  STAGE_UNREAD_RST,    /* CONNECTED */
  STAGE_COUNT
} EndingStage;

/* The matrix's rows. In those from INSIDE_CONNECTING on the worker is held at the moment: a peer's
 * act is done by the time that it goes on, a host's act is done from there. */
#define MOMENT_MAP(X)                                                                              \
  X(ACCEPTED, STRANGER, "before the first frame")                                                  \
  X(HALF_REQUEST, HALF_REQUEST, "half a first frame in")                                           \
  X(BOUND, SHAKING, "STUN answered")                                                               \
  X(SERVER_FLIGHT, SHAKING, "DTLS server: own flight out")                                         \
  X(SERVER_DONE, UP, "DTLS server: done, peer is not")                                             \
  X(CLIENT_HELLO, SHAKING, "DTLS client: hello out")                                               \
  X(CLIENT_KEYS, SHAKING, "DTLS client: keys out")                                                 \
  X(CLIENT_DONE, UP, "DTLS client: done")                                                          \
  X(IDLE, UP, "established, idle")                                                                 \
  X(LOAD, UP, "established, load both ways")                                                       \
  X(FULL_QUEUE, UP, "established, full queue")                                                     \
  X(HALF_FRAME, UP, "established, half a frame in")                                                \
  X(DRAINING, UP, "established, server drains")                                                    \
  X(GRACE, AWAY, "in the grace")                                                                   \
  X(GRACE_SHAKING, AWAY_SHAKING, "in the grace, mid-handshake")                                    \
  X(INSIDE_CONNECTING, SHAKING, "inside on_state CONNECTING")                                      \
  X(INSIDE_CONNECTED, UP, "inside on_state CONNECTED")                                             \
  X(INSIDE_DISCONNECTED, AWAY, "inside on_state DISCONNECTED")                                     \
  X(INSIDE_CLOSED, OVER, "inside on_state CLOSED")                                                 \
  X(INSIDE_RTP, UP, "inside on_rtp")                                                               \
  X(INSIDE_RTCP, UP, "inside on_rtcp")                                                             \
  X(INSIDE_KEYFRAME_WANTED, UP, "inside on_keyframe_wanted")                                       \
  X(AFTER_HOST_CLOSE, OVER, "straight after a close")                                              \
  X(AFTER_CLOSE_NOTIFY, UNREAD_NOTIFY, "straight after close_notify")                              \
  X(AFTER_FIN, UNREAD_FIN, "straight after FIN")                                                   \
  X(AFTER_RST, UNREAD_RST, "straight after RST")

typedef enum Moment {
#define MOMENT_ENUM(name, stage, text) MOMENT_##name,
  MOMENT_MAP(MOMENT_ENUM)
#undef MOMENT_ENUM
      MOMENT_COUNT
} Moment;

/* What a cell is to show. Sets of reasons are bits: more than one where the kernel or the order of
 * two events in one turn decides. */
typedef struct EndingsOutcome {
  bool applies;                                  /* false: this can't happen at that moment */
  RtcConnectionState states[ENDINGS_STATES_MAX]; /* reported from the moment on; ends with NEW */
  unsigned reasons;                              /* of RtcClose */
  unsigned tcp_reasons[ENDINGS_CONNS_MAX];       /* of RtcTcpClose, one a TCP conn; 0: none */
  bool goes_on;             /* the session does not end by it: the host closes it afterwards */
  bool stranger_stays;      /* a TCP conn of nobody's is left, which the peer closes at last */
  bool may_skip_disconnect; /* DISCONNECTED is reported, or CLOSED at once */
} EndingsOutcome;

typedef struct EndingsCell {
  Ending ending;
  Moment moment;
  char name[64]; /* both of theirs */
  HostConfig config;
  PeerConfig peer_config;
  Host *host;                   /* owned; NULL: not set up, or torn down */
  HostSession *session;         /* borrowed: the host's */
  RtcStream *stream;            /* borrowed: the Connection's, for load */
  uint16_t sequence;            /* of the peer's packets */
  uint8_t rest[PEER_MEDIA_MAX]; /* of the frame that is half in */
  size_t rest_len;              /* [octets] */
  size_t octets_before;         /* of memory in use */
  size_t queued;                /* in the send queue at the moment [octets] */

  /* The worker is held in the middle of something. */
  bool is_held;
  bool was_held; /* once is enough: what holds it may be called again */
  HostHook hook; /* in this callback; NONE: in none */
  sem_t inside, go_on, done;

  RtcTcpConn *tcp;       /* owned: a handle on what is detached already; NULL: none is needed */
  RtcSdpTransport offer; /* of an ICE restart, and its answer */
  RtcSdpTransport answer;
  RtcError restart_error;

  /* What was observed. */
  RtcConnectionState states[HOST_STATES_MAX];
  size_t state_count;
  RtcConnectionState left_in; /* by an ending after which the session goes on */
  bool has_gone_on;
  RtcClose reason;
  size_t after_closed; /* wishes for keyframes; the host's sessions count the rest */
  RtcServerStats figures;
  bool passed;
} EndingsCell;

/* Runs the cells of these endings as a cmocka group. returns what main does */
int endings_run(const char *name, const Ending *endings, size_t count);

/* -- endings_table.c -- */
const char *ending_name(Ending ending);
const char *moment_name(Moment moment);
EndingStage moment_stage(Moment moment);
/* What is reported before the moment; ends with NEW. */
const RtcConnectionState *stage_states(EndingStage stage);
/* applies: false where there is no such cell */
EndingsOutcome endings_expected(Ending ending, Moment moment);

/* -- endings_moments.c -- */
/* Opens the cell's session and brings it to the moment. */
void endings_reach(EndingsCell *cell);
/* Holds the worker, once, until endings_let_go; then does the host's act. On its thread. */
void endings_hold(EndingsCell *cell);
void endings_let_go(EndingsCell *cell);

/* -- endings_media.c -- */
/* A burst of packets; what can't be sent any more is not an error. host_load and what takes arg, a
 * cell, run on the worker's thread. */
void endings_host_load(EndingsCell *cell, RtcConnection *connection);
void endings_load_on_worker(void *arg);
void endings_peer_load(EndingsCell *cell);
void endings_send_from_peer(EndingsCell *cell, bool rtcp);
/* Video up to what the queue holds, so that nothing is dropped; and beyond that, until
 * on_keyframe_wanted is called, from inside a send. */
void endings_fill_queue(void *arg);
void endings_overfill_queue(void *arg);
void endings_note_queued(void *arg);
/* Half of a frame; the rest is kept in the cell. */
void endings_send_half_request(EndingsCell *cell);
void endings_send_half_packet(EndingsCell *cell);

/* -- endings_acts.c -- */
/* Settings that the ending needs. */
void endings_prepare(EndingsCell *cell);
/* The peer's part, and the host's, which runs on the worker's thread. */
void endings_peer_act(EndingsCell *cell);
void endings_host_act(EndingsCell *cell);
/* Does the server end with the session? */
bool endings_ends_server(const EndingsCell *cell);
/* The session goes on: drives it on, notes where it was left, and closes it as the host. */
void endings_go_on(EndingsCell *cell);

/* How much longer everything takes here than on a bare machine. */
unsigned endings_slowness(void);

#endif
