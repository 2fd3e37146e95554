/* What the transport sees of an RtcTcpConn. */
#ifndef RTC_TRANSPORT_RTC_TCP_CONN_INTERNAL_H
#define RTC_TRANSPORT_RTC_TCP_CONN_INTERNAL_H

#include "ownership/executor.h"
#include "protocol/framing.h"
#include "protocol/stun_client.h"
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
  int fd;            /* owned; -1: handed to the host, or not opened yet */
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
  RtcTask flush;
  int64_t made_us;       /* acceptance */
  int64_t heard_us;      /* acceptance, or the last authenticated packet */
  uint8_t *handed;       /* owned: what another worker has read of it; NULL: nothing */
  size_t handed_len;     /* [octets] */
  bool was_handed;       /* another worker has read from it */
  unsigned early_frames; /* frames before it was attached */

  /* Of one that this side opens. */
  bool active;
  uint8_t candidate; /* which one of the Connection's it leads to */
  bool asked;        /* a binding request awaits its response: transaction's */
  RtcStunTransaction transaction;
  int64_t next_us; /* CONNECT: its turn to connect; later: that of the next binding request;
                    * RTC_NEVER: passive, it never asks */
};

extern const RtcResourceType rtc_tcp_conn_type;

RTC_SHARED_DECLARE(RtcTcpConn, rtc_tcp_conn);

/* Takes an accepted, non-blocking socket, and starts the coroutine that serves it.
 * fd      owned from here on, whatever is returned
 * handed  what was read from it on another worker, from malloc: owned likewise; NULL: nothing
 * Errors: LIMIT (too many strangers), NO_MEMORY, SYSTEM, CLOSED */
RTC_MUST_CHECK RtcError rtc_tcp_conn_accept(RtcShard *shard, int fd, const RtcAddress *peer,
                                            uint8_t *handed, size_t handed_len);

/* Opens a TCP conn to a peer, at a time of its own, and attaches it to the Connection at once: it
 * is among its TCP conns, and goes with it, from before there is a socket. What is authenticated is
 * told by its state, PACKETS, alone.
 * candidate  which one of the Connection's this peer is
 * restarted  it is to prove the credentials of the ICE restart that is pending
 * begin_us   not before this time
 * Errors: NO_MEMORY, CLOSED: nothing is attached */
RTC_MUST_CHECK RtcError rtc_tcp_conn_open(RtcConnection *connection, const RtcAddress *peer,
                                          uint8_t candidate, bool restarted, int64_t begin_us);

/* An active one awaits its turn, and connects.
 * Yields: yes.
 * Errors: TIMEOUT, SYSTEM, NO_MEMORY, CANCELED */
RTC_MUST_CHECK RtcError rtc_tcp_conn_connect(RtcTcpConn *tcp);

/* Sets the options of its socket, and watches it.
 * Errors: NO_MEMORY, SYSTEM */
RTC_MUST_CHECK RtcError rtc_tcp_conn_watch(RtcTcpConn *tcp);

/* The object alone, without a coroutine, in its shard's list; fd may be -1. NULL: no memory */
RtcTcpConn *rtc_tcp_conn_make(RtcShard *shard, int fd, const RtcAddress *peer);

/* Puts it into the manager, and starts its coroutine. Errors: NO_MEMORY, CLOSED */
RTC_MUST_CHECK RtcError rtc_tcp_conn_start(RtcTcpConn *tcp);

/* Its peer has proven the session's password: it takes packets of any kind from here on. */
void rtc_tcp_conn_authenticated(RtcTcpConn *tcp);

/* The states only go forward. */
void rtc_tcp_conn_set_state(RtcTcpConn *tcp, RtcTcpConnState state);

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

/* attach's and detach's part here. One that was accepted is authenticated by then. detached ends
 * the coroutine at its next yield. */
void rtc_tcp_conn_attached(RtcTcpConn *tcp);
void rtc_tcp_conn_detached(RtcTcpConn *tcp, RtcTcpClose close);

#endif
