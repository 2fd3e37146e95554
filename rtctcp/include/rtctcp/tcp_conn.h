/* RtcTcpConn: one TCP socket, accepted or opened. A coroutine of its own serves it to its end; a
 * session's RtcConnection holds a shared handle to it, and it points back with a plain pointer.
 *
 * Thread: its worker's. Nothing here yields. */
#ifndef RTCTCP_TCP_CONN_H
#define RTCTCP_TCP_CONN_H

#include <rtctcp/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RtcTcpConn RtcTcpConn;

/* Named by what is awaited. */
#define RTC_TCP_CONN_STATE_MAP(X)                                                                  \
  X(FIRST_FRAME, "first-frame") /* nothing, or not all of the first frame, has come */             \
  X(CONNECT, "connect")         /* active: its turn to connect, and then the peer's accept */      \
  X(BINDING_RESPONSE, "binding-response") /* active: the answer to its first check */              \
  X(PACKETS, "packets")                   /* authenticated, and attached to a Connection */        \
  X(DISPOSAL, "disposal")                 /* released: no Connection, its coroutine ends */

typedef enum RtcTcpConnState {
#define RTC_TCP_CONN_STATE_ENUM(name, text) RTC_TCP_CONN_STATE_##name,
  RTC_TCP_CONN_STATE_MAP(RTC_TCP_CONN_STATE_ENUM)
#undef RTC_TCP_CONN_STATE_ENUM
} RtcTcpConnState;

/* Why a TCP conn ended. */
#define RTC_TCP_CLOSE_MAP(X)                                                                       \
  X(HOST, "host")                         /* the host closed it */                                 \
  X(REFUSED, "refused")                   /* a cap was reached, or it could not be served */       \
  X(SESSION, "session")                   /* its Connection closed */                              \
  X(HANDED_OVER, "handed-over")           /* its session is another worker's: it goes on there */  \
  X(FOREIGN, "foreign")                   /* not ICE: handed to the host */                        \
  X(PEER_FIN, "peer-fin")                 /* the peer closed its side */                           \
  X(SOCKET_ERROR, "socket-error")         /* reset, or any other error of the socket */            \
  X(SILENCE, "silence")                   /* no authenticated packet for the timeout */            \
  X(REPLACED, "replaced")                 /* the oldest standby made room for a new one */         \
  X(FIRST_FRAME_LATE, "first-frame-late") /* nothing authenticated in time */                      \
  X(FIRST_FRAME_MALFORMED, "first-frame-malformed")                                                \
  X(FIRST_FRAME_UNAUTHENTICATED, "first-frame-unauthenticated")                                    \
  X(NO_SUCH_SESSION, "no-such-session") /* the ufrag names no live session */                      \
  X(DRAIN, "drain")                     /* the same, while the server drains */                    \
  X(ICE_RESTART, "ice-restart")         /* one with the credentials of a restart was nominated */  \
  X(CONNECT_FAILED, "connect-failed") /* active: refused, unreachable, timed out, or no socket */  \
  X(CHECK_FAILED, "check-failed")     /* active: no binding response in time, or a refusal */      \
  X(UNNEEDED, "unneeded")             /* active: another candidate was nominated meanwhile */      \
  X(FRAME_MALFORMED, "frame-malformed") /* the stream of frames broke later */                     \
  X(NO_MEMORY, "no-memory")                                                                        \
  X(WORKER_STOP, "worker-stop")

typedef enum RtcTcpClose {
#define RTC_TCP_CLOSE_ENUM(name, text) RTC_TCP_CLOSE_##name,
  RTC_TCP_CLOSE_MAP(RTC_TCP_CLOSE_ENUM)
#undef RTC_TCP_CLOSE_ENUM
      RTC_TCP_CLOSE_COUNT
} RtcTcpClose;

RTC_API RtcTcpConn *rtc_tcp_conn_ref(RtcTcpConn *tcp);
RTC_API void rtc_tcp_conn_unref(RtcTcpConn **tcp);

/* Ends the TCP conn and the Connection that it serves: the pair is released. May be called twice,
 * and from any callback. */
RTC_API void rtc_tcp_conn_close(RtcTcpConn *tcp);

RTC_API RtcTcpConnState rtc_tcp_conn_state(const RtcTcpConn *tcp);
RTC_API const char *rtc_tcp_conn_state_name(RtcTcpConnState state);
RTC_API const char *rtc_tcp_close_name(RtcTcpClose close);

/* "192.0.2.1:50000", "[2001:db8::1]:50000". Borrowed, valid while the handle is held. */
RTC_API const char *rtc_tcp_conn_peer(const RtcTcpConn *tcp);

#ifdef __cplusplus
}
#endif

#endif
