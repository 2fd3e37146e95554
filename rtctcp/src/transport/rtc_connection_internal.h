/* What the transport and the media floor see of an RtcConnection. Nothing here yields. */
#ifndef RTC_TRANSPORT_RTC_CONNECTION_INTERNAL_H
#define RTC_TRANSPORT_RTC_CONNECTION_INTERNAL_H

#include "protocol/srtp.h"
#include "runtime/timer.h"
#include "transport/ice.h"
#include "transport/rtc_tcp_conn_internal.h"
#include "transport/send_queue.h"

#define RTC_CONNECTION_TCP_CONNS_MAX 4
#define RTC_CONNECTION_OBSERVERS_MAX 16

/* The media floor listens in through observers; it is told before the host. An observer may be
 * removed, and the Connection closed, from inside each of these. */
typedef struct RtcConnectionObserver {
  void (*on_state)(struct RtcConnectionObserver *observer, RtcConnectionState state);
  /* An opened packet, borrowed. returns: it is one of this observer's. NULL: wants none. */
  bool (*on_rtp)(struct RtcConnectionObserver *observer, const uint8_t *packet, size_t len);
  bool (*on_rtcp)(struct RtcConnectionObserver *observer, const uint8_t *packet, size_t len);
} RtcConnectionObserver;

/* What the active side has beside: see rtc_connection_active.c. */
typedef struct RtcActive RtcActive;

struct RtcConnection {
  RtcResource resource;       /* the base: first */
  RtcShard *shard;            /* back: outlives its Connections */
  RtcConnection *prev, *next; /* borrowed: in the shard's list of all */
  int64_t made_us;
  RtcConnectionState state;
  int64_t state_us; /* since when it is in this state */
  RtcClose close;

  RtcIceCredentials *ice;     /* owned: those in use */
  RtcIceCredentials *restart; /* owned: of an ICE restart that awaits a nomination; NULL: none */
  char tag[RTC_ICE_UFRAG_LEN + 1]; /* its first ufrag: what the log calls it */
  char *name;                      /* owned: the host's, for the log; NULL: none */
  RtcDtlsRole role;
  RtcActive *active; /* owned; NULL: this side is the passive one */

  RtcTcpConn *tcp_conns[RTC_CONNECTION_TCP_CONNS_MAX]; /* owned: handles, without gaps */
  size_t tcp_conn_count;
  RtcTcpConn *selected; /* borrowed: one of tcp_conns, which media takes; NULL: there is none */

  RtcDtls *dtls; /* owned; NULL once disposed of, and on the active side before it connects: it is
                  * there while a TCP conn is attached */
  RtcSrtp *srtp; /* owned; NULL before CONNECTED, and once disposed of */
  RtcSendQueue send_queue;
  RtcTimer
      timer; /* of NEW (the first TCP conn), CONNECTING (the handshake), DISCONNECTED (the grace) */

  RtcConnectionCallbacks callbacks; /* zero once CLOSED was reported */
  void *arg;                        /* borrowed: the host's */
  RtcConnectionObserver *observers[RTC_CONNECTION_OBSERVERS_MAX]; /* borrowed: NULL where removed */
  size_t observer_count;                                          /* slots in use, gaps too */
  RtcConnectionStats stats;
};

extern const RtcResourceType rtc_connection_type;

RTC_SHARED_DECLARE(RtcConnection, rtc_connection);

/* Has the peer said what it takes to know it: ufrag, pwd, a fingerprint? NULL: it has not */
bool rtc_connection_can_be_proven(const RtcSdpTransport *remote);

/* Opens a session on this shard; see rtc_connection_new. */
RTC_MUST_CHECK RtcError rtc_connection_open(RtcConnection **connection, RtcShard *shard,
                                            const RtcConnectionConfig *config);

/* -- Of the TCP conn's coroutine -- */

/* The only two that write tcp->connection. attach takes a handle; where there is no room it
 * releases the standby that was silent the longest. detach gives the handle back, and ends the TCP
 * conn: *tcp may be gone after it, unless the caller holds a handle. */
void rtc_connection_attach(RtcConnection *connection, RtcTcpConn *tcp);
void rtc_connection_detach(RtcConnection *connection, RtcTcpConn *tcp, RtcTcpClose close);

/* An authenticated binding request has come on an attached TCP conn, and its answer is queued.
 * proven  the credentials that it was made with: one of the Connection's */
void rtc_connection_bound(RtcConnection *connection, RtcTcpConn *tcp,
                          const RtcIceCredentials *proven, const RtcStunOutcome *request);

/* One frame of an attached TCP conn; opened in place. The Connection may be CLOSED after it. */
void rtc_connection_input(RtcConnection *connection, RtcTcpConn *tcp, uint8_t *frame, size_t len);

/* An attached TCP conn has ended: detaches it, and goes on without. */
void rtc_connection_lost(RtcConnection *connection, RtcTcpConn *tcp, RtcTcpClose close);

/* Media frames for the selected TCP conn; see RtcFrameFill. */
size_t rtc_connection_fill(RtcConnection *connection, const RtcTcpConn *tcp, uint8_t *out,
                           size_t cap);

/* The credentials of this session that a STUN username names; NULL: none. Borrowed. */
const RtcIceCredentials *rtc_connection_credentials(const RtcConnection *connection,
                                                    const RtcStunUsername *username);

/* -- Of an active TCP conn's coroutine -- */

/* Sends a binding request on it, if none awaits its response: the check of a new one, the
 * nomination and the consent of an old one. */
void rtc_connection_check(RtcConnection *connection, RtcTcpConn *tcp);

/* A STUN response has come on it. The Connection may be CLOSED after it. */
void rtc_connection_answered(RtcConnection *connection, RtcTcpConn *tcp, const uint8_t *packet,
                             size_t len);

/* -- Of the Connection's own files -- */

/* Errors: NO_MEMORY, SYSTEM */
RTC_MUST_CHECK RtcError rtc_connection_make_active(RtcConnection *connection, RtcSetup setup);
void rtc_connection_free_active(RtcConnection *connection);

/* What an active side says of itself beyond its credentials. */
void rtc_connection_describe_active(const RtcConnection *connection, RtcSdpTransport *transport);

/* What rtc_connection_lost does on an active side, after tcp was detached from it; see there.
 * ready  it was PACKETS
 * cut    media was cut on it */
void rtc_connection_active_lost(RtcConnection *connection, const RtcTcpConn *tcp, bool ready,
                                bool cut, RtcTcpClose close);

/* The peer's part of a restart that is pending: TCP conns are opened to prove it.
 * Errors: NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_connection_active_restart(RtcConnection *connection,
                                                      const RtcSdpTransport *remote);

/* Makes the session's DTLS, in connection->role. Errors: as of rtc_dtls_new */
RTC_MUST_CHECK RtcError rtc_connection_make_dtls(RtcConnection *connection,
                                                 const RtcSdpTransport *remote);

/* A TCP conn is selected (again) in NEW or DISCONNECTED: goes on where the session was. */
void rtc_connection_resume(RtcConnection *connection);

/* The last authenticated TCP conn has gone: waits for another one, or ends without a grace. */
void rtc_connection_disconnect(RtcConnection *connection);

/* A TCP conn with the new credentials was nominated: the old ones are good no more, nor is a TCP
 * conn that has proven none but them. */
void rtc_connection_complete_restart(RtcConnection *connection);

/* Ends the session for this reason, if it has not ended. Reports CLOSED before it returns. */
void rtc_connection_end(RtcConnection *connection, RtcClose close);

void rtc_connection_set_state(RtcConnection *connection, RtcConnectionState state);
void rtc_connection_drop(RtcConnection *connection, RtcDrop drop);

/* Media takes this attached TCP conn from now on. */
void rtc_connection_select(RtcConnection *connection, RtcTcpConn *tcp);

/* Has the selected one a part of a frame that its socket did not take? */
bool rtc_connection_is_cut(const RtcConnection *connection);

/* The selected TCP conn is gone: another one that is PACKETS takes its place; there must be one.
 * cut: it was, as above */
void rtc_connection_fail_over(RtcConnection *connection, bool cut);

/* A request on tcp has nominated it. restarted: with the credentials of a pending ICE restart */
void rtc_connection_nominate(RtcConnection *connection, RtcTcpConn *tcp, uint32_t priority,
                             bool restarted);

/* An authentic media packet has come on tcp. */
void rtc_connection_brought_media(RtcConnection *connection, RtcTcpConn *tcp);

/* Acts on what the last DTLS call has brought about: keys, a close, a failure. */
void rtc_connection_dtls_changed(RtcConnection *connection);

/* RtcDtlsCallbacks.output */
void rtc_connection_dtls_output(const uint8_t *datagram, size_t len, void *arg);

/* -- Of the media floor -- */

/* Errors: LIMIT, CLOSED */
RTC_MUST_CHECK RtcError rtc_connection_observe(RtcConnection *connection,
                                               RtcConnectionObserver *observer);
void rtc_connection_unobserve(RtcConnection *connection, RtcConnectionObserver *observer);

/* Tell all observers, then the host. */
void rtc_connection_tell_state(RtcConnection *connection, RtcConnectionState state);
void rtc_connection_tell_rtp(RtcConnection *connection, const uint8_t *packet, size_t len);
void rtc_connection_tell_rtcp(RtcConnection *connection, const uint8_t *packet, size_t len);

#endif
