/* What the transport sees of an RtcTcpConn. */
#ifndef RTC_TRANSPORT_RTC_TCP_CONN_INTERNAL_H
#define RTC_TRANSPORT_RTC_TCP_CONN_INTERNAL_H

#include "ownership/executor.h"
#include "protocol/framing.h"
#include "runtime/io.h"
#include "transport/frame_writer.h"
#include "transport/shard.h"

struct RtcTcpConn {
  RtcResource resource;      /* the base: first */
  RtcShard *shard;           /* back: outlives its TCP conns */
  RtcTcpConn *prev, *next;   /* borrowed: in the shard's list of all */
  RtcExecutor *executor;     /* borrowed: NULL once its coroutine has ended */
  RtcConnection *connection; /* back: written by rtc_connection_attach and _detach only; read it
                              * again after every yield and every callback */
  RtcTcpConnState state;
  RtcTcpClose close; /* the first reason given; RTC_TCP_CLOSE_COUNT: none yet */
  int fd;            /* owned; -1: handed to the host */
  RtcAddress peer;
  char peer_text[RTC_ADDRESS_TEXT_MAX];
  bool restarted;    /* has proven the credentials of the ICE restart that is pending */
  bool contends;     /* it was nominated after the selected one, which it does not outrank */
  uint32_t priority; /* of its nomination (RFC 8445 section 7.1.1); 0: it was not nominated */
  bool admitted;     /* counted by the shard's admission, as not authenticated */
  bool blocked;      /* the socket takes no more: the coroutine awaits that it does */
  RtcIo io;
  RtcFrameReader reader;
  RtcFrameWriter writer;
  RtcTcpPath path;
  RtcTask flush;
  int64_t made_us;       /* acceptance */
  int64_t heard_us;      /* acceptance, or the last authenticated packet */
  uint8_t *handed;       /* owned: what another worker has read of it; NULL: nothing */
  size_t handed_len;     /* [octets] */
  bool was_handed;       /* another worker has read from it */
  unsigned early_frames; /* frames before it was attached */
};

extern const RtcResourceType rtc_tcp_conn_type;

RTC_SHARED_DECLARE(RtcTcpConn, rtc_tcp_conn);

/* Takes an accepted, non-blocking socket, and starts the coroutine that serves it.
 * fd      owned from here on, whatever is returned
 * handed  what was read from it on another worker, from malloc: owned likewise; NULL: nothing
 * Errors: LIMIT (too many strangers), NO_MEMORY, SYSTEM, CLOSED */
RTC_MUST_CHECK RtcError rtc_tcp_conn_accept(RtcShard *shard, int fd, const RtcAddress *peer,
                                            uint8_t *handed, size_t handed_len);

/* The reason of its end, unless one was given before. */
void rtc_tcp_conn_set_close(RtcTcpConn *tcp, RtcTcpClose close);

/* Waits until it can be told whether ICE has come.
 * Yields: yes.
 * Errors: as rtc_io_wait; EOF, SYSTEM; UNSUPPORTED (it was not ICE: the host has the socket) */
RTC_MUST_CHECK RtcError rtc_tcp_conn_await_first_octet(RtcTcpConn *tcp);

/* A frame before it is attached: attaches it to the session whose password the frame proves.
 * Errors: AUTH, UNSUPPORTED (handed to another worker), NO_MEMORY, CANCELED: it ends */
RTC_MUST_CHECK RtcError rtc_tcp_conn_admit(RtcTcpConn *tcp, const uint8_t *frame, size_t len);

/* Queues a STUN or DTLS packet, to go before any media at the end of this turn.
 * Errors: LIMIT      the packet is dropped
 *         NO_MEMORY  likewise, and the TCP conn ends: neither STUN nor DTLS sends again what a
 *                    reliable transport was given (RFC 8489 section 6.2.2), so the session goes on
 *                    with another TCP conn, which is given the flight anew */
RTC_MUST_CHECK RtcError rtc_tcp_conn_send_control(RtcTcpConn *tcp, const uint8_t *packet,
                                                  size_t len);

/* Something waits: send it at the end of this turn. */
void rtc_tcp_conn_want_flush(RtcTcpConn *tcp);

/* Gives what control frames wait to the socket now, as far as it takes them: a last word. */
void rtc_tcp_conn_flush_control(RtcTcpConn *tcp);

/* An authenticated packet has come on it. */
void rtc_tcp_conn_heard(RtcTcpConn *tcp);

/* Ends its coroutine at the next yield, for this reason unless one was given before. */
void rtc_tcp_conn_end(RtcTcpConn *tcp, RtcTcpClose close);

/* attach's and detach's part here. detached ends the coroutine at its next yield. */
void rtc_tcp_conn_attached(RtcTcpConn *tcp);
void rtc_tcp_conn_detached(RtcTcpConn *tcp, RtcTcpClose close);

#endif
