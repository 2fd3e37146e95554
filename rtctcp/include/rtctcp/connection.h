/* RtcConnection: one WebRTC session over TCP: ICE-lite, DTLS, SRTP. It outlives its TCP conns.
 *
 * Thread: its worker's. Nothing here yields; everything may be called from any callback.
 * Handles: the server holds one until the Connection is CLOSED; rtc_connection_new gives another
 * one to the caller, who unrefs it when the pointer is no longer wanted, before or after the end.
 */
#ifndef RTCTCP_CONNECTION_H
#define RTCTCP_CONNECTION_H

#include <rtctcp/packet.h>
#include <rtctcp/sdp.h>
#include <rtctcp/tcp_conn.h>
#include <rtctcp/worker.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RtcServer RtcServer;
typedef struct RtcConnection RtcConnection;

/* Named by what is awaited. */
#define RTC_CONNECTION_STATE_MAP(X)                                                                \
  X(NEW, "new")                   /* awaits the first authenticated TCP conn */                    \
  X(CONNECTING, "connecting")     /* awaits the end of the DTLS handshake */                       \
  X(CONNECTED, "connected")       /* media flows */                                                \
  X(DISCONNECTED, "disconnected") /* awaits another TCP conn, for the grace */                     \
  X(CLOSED, "closed")             /* the end; no callback comes after this one */

typedef enum RtcConnectionState {
#define RTC_CONNECTION_STATE_ENUM(name, text) RTC_CONNECTION_STATE_##name,
  RTC_CONNECTION_STATE_MAP(RTC_CONNECTION_STATE_ENUM)
#undef RTC_CONNECTION_STATE_ENUM
} RtcConnectionState;

/* Why a Connection closed. */
#define RTC_CLOSE_MAP(X)                                                                           \
  X(NONE, "none")             /* it has not */                                                     \
  X(HOST, "host")             /* rtc_connection_close or rtc_tcp_conn_close */                     \
  X(PEER, "peer")             /* close_notify */                                                   \
  X(PEER_ALERT, "peer-alert") /* a fatal alert of the peer */                                      \
  X(TIMEOUT, "timeout") /* no authenticated packet for session_timeout, or a handshake of two */   \
  X(NEVER_CONNECTED, "never-connected") /* no TCP conn came within session_timeout */              \
  X(TCP_LOST, "tcp-lost")       /* the last TCP conn went and none came within the grace */        \
  X(DTLS, "dtls")               /* the handshake failed here */                                    \
  X(FINGERPRINT, "fingerprint") /* the peer's certificate is not the signalled one */              \
  X(NO_MEMORY, "no-memory")                                                                        \
  X(DRAIN, "drain")             /* not begun when a drain did, or cut by its deadline */           \
  X(WORKER_STOP, "worker-stop") /* the server or its worker stopped */

typedef enum RtcClose {
#define RTC_CLOSE_ENUM(name, text) RTC_CLOSE_##name,
  RTC_CLOSE_MAP(RTC_CLOSE_ENUM)
#undef RTC_CLOSE_ENUM
      RTC_CLOSE_COUNT
} RtcClose;

/* What a Connection dropped and counted instead of ending. */
#define RTC_DROP_MAP(X)                                                                            \
  X(UNKNOWN_PACKET, "unknown-packet") /* no class of RFC 7983, or an empty frame */                \
  X(STUN, "stun")                     /* malformed, unauthenticated, or not a request */           \
  X(DTLS, "dtls")                     /* records that OpenSSL passed over */                       \
  X(EARLY_MEDIA, "early-media")       /* SRTP before the handshake has ended */                    \
  X(SRTP_AUTH, "srtp-auth")           /* authentication failed */                                  \
  X(SRTP_REPLAY, "srtp-replay")                                                                    \
  X(SRTP_MALFORMED, "srtp-malformed")                                                              \
  X(SSRC_LIMIT, "ssrc-limit")         /* more SSRCs than a session may have */                     \
  X(UNKNOWN_SSRC, "unknown-ssrc")     /* belongs to no track */                                    \
  X(RTCP, "rtcp")                     /* malformed, or of an unknown type */                       \
  X(QUEUE_FULL, "queue-full")         /* outbound: more octets than the queue may hold */          \
  X(QUEUE_LATE, "queue-late")         /* outbound: too old to be of use */                         \
  X(AWAIT_KEYFRAME, "await-keyframe") /* outbound: no use before the next keyframe */              \
  X(NOT_CONNECTED, "not-connected")   /* outbound: nothing can be sent in this state */            \
  X(NO_MEMORY, "no-memory")           /* in or out: there was none to process it */

typedef enum RtcDrop {
#define RTC_DROP_ENUM(name, text) RTC_DROP_##name,
  RTC_DROP_MAP(RTC_DROP_ENUM)
#undef RTC_DROP_ENUM
      RTC_DROP_COUNT
} RtcDrop;

typedef struct RtcConnectionStats {
  uint64_t packets_in, octets_in;   /* SRTP and SRTCP that were opened */
  uint64_t packets_out, octets_out; /* SRTP and SRTCP that were protected */
  uint64_t drops[RTC_DROP_COUNT];
  size_t tcp_conns; /* attached now */
  uint64_t tcp_conns_total;
  const char *srtp_profile; /* "SRTP_AEAD_AES_128_GCM", ...; NULL before CONNECTED */
} RtcConnectionStats;

typedef struct RtcConnectionCallbacks {
  /* Each change of the state. CLOSED is the last callback of all. */
  void (*on_state)(RtcConnection *connection, RtcConnectionState state, void *arg);
  /* An opened RTP or RTCP packet; borrowed for the call. May be NULL. What a publisher's source
   * takes (see source.h) is told here too. */
  void (*on_rtp)(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg);
  void (*on_rtcp)(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg);
} RtcConnectionCallbacks;

typedef struct RtcConnectionConfig {
  const char *name;              /* for the log; copied; NULL: none */
  const RtcSdpTransport *remote; /* the peer's: ufrag, pwd, fingerprints, setup. Copied.
                                  * active: NULL, it comes with rtc_connection_connect */
  bool active;    /* this side opens the TCP conns (RFC 6544 section 4.1), and controls ICE */
  RtcSetup setup; /* active: what its offer says; NONE: ACTPASS. Else not looked at */
  RtcConnectionCallbacks callbacks;
  void *arg; /* borrowed: must live until CLOSED was reported */
} RtcConnectionConfig;

/* Opens a session on this worker (one of the server's) and awaits its first TCP conn.
 * connection  out: a handle that the caller owns
 * Errors:  INVALID_ARGUMENT  no ufrag, pwd or fingerprint, or the worker is not the server's
 *          CLOSED            the server is closing
 *          NO_MEMORY, LIBRARY, SYSTEM (no randomness) */
RTC_API RTC_MUST_CHECK RtcError rtc_connection_new(RtcConnection **connection, RtcServer *server,
                                                   RtcWorker *worker,
                                                   const RtcConnectionConfig *config);

RTC_API RtcConnection *rtc_connection_ref(RtcConnection *connection);
RTC_API void rtc_connection_unref(RtcConnection **connection);

/* Ends the session: close_notify is sent best-effort, CLOSED(HOST) is reported before this returns,
 * the pair is released. May be called twice. */
RTC_API void rtc_connection_close(RtcConnection *connection);

/* What the answer says of this side: ufrag, pwd, fingerprint, setup, passive candidates. */
RTC_API void rtc_connection_local_transport(const RtcConnection *connection,
                                            RtcSdpTransport *transport);

/* Of an active Connection, once, when the peer's answer (or offer) is known: opens TCP conns to its
 * passive candidates (all others are passed over), checks them with binding requests, nominates
 * one, and begins DTLS in the role that both setups give. A TCP conn that is lost is opened again,
 * for as long as the grace. remote  the peer's ufrag, pwd, fingerprints, setup, candidates. Copied
 * Errors: INVALID_STATE     not active, or it was called before
 *         INVALID_ARGUMENT  no ufrag, pwd or fingerprint, or both sides have the same setup
 *         NOT_FOUND         no passive TCP candidate with a numeric address
 *         CLOSED, NO_MEMORY, LIBRARY, SYSTEM
 * Source: RFC 6544 section 7, RFC 8445 sections 7.2 and 8.1.1, RFC 8842 section 5 */
RTC_API RTC_MUST_CHECK RtcError rtc_connection_connect(RtcConnection *connection,
                                                       const RtcSdpTransport *remote);

/* ICE restart (RFC 8445 section 9): makes new local credentials, which local_transport tells from
 * here on, and takes the peer's new ufrag and pwd; DTLS, SRTP and the media go on. Attached TCP
 * conns stay, and the old credentials stay good, until the peer nominates a TCP conn with the new
 * ones; then what knows the old ones only is released. Another restart before that replaces the
 * pending one.
 * remote  its ufrag and pwd are taken, the rest is not looked at
 * Errors: INVALID_ARGUMENT (no ufrag or no pwd), CLOSED, NO_MEMORY, SYSTEM: nothing has changed */
RTC_API RTC_MUST_CHECK RtcError rtc_connection_restart_ice(RtcConnection *connection,
                                                           const RtcSdpTransport *remote);

RTC_API RtcConnectionState rtc_connection_state(const RtcConnection *connection);
RTC_API RtcClose rtc_connection_close_reason(const RtcConnection *connection);
RTC_API uint64_t rtc_connection_id(const RtcConnection *connection);
RTC_API void rtc_connection_stats(const RtcConnection *connection, RtcConnectionStats *stats);
RTC_API const char *rtc_connection_state_name(RtcConnectionState state);
RTC_API const char *rtc_close_name(RtcClose close);
RTC_API const char *rtc_drop_name(RtcDrop drop);

/* The TCP conn that media takes now, or NULL. Borrowed: ref it to keep it. */
RTC_API RtcTcpConn *rtc_connection_tcp_conn(const RtcConnection *connection);

/* -- Sending. Hosts that route through an RtcSource (source.h) need nothing of this. -- */

typedef enum RtcMedia {
  RTC_MEDIA_AUDIO,
  RTC_MEDIA_VIDEO,
} RtcMedia;

/* One outgoing RTP stream: one SSRC. */
typedef struct RtcStreamConfig {
  RtcMedia media;
  uint32_t ssrc;
  uint8_t payload_type;
  uint32_t clock_rate; /* [Hz] */
  /* Packets were dropped, and none is of use before a keyframe: ask for one, at a rate of your own.
   * Called with every packet that is dropped so, from a send or from the loop. NULL: not told. */
  void (*on_keyframe_wanted)(void *arg);
  void *arg; /* borrowed: must live until the stream is removed or CLOSED was reported */
} RtcStreamConfig;

typedef struct RtcStream RtcStream;

/* Adds a stream; it belongs to the Connection and goes with it, or when it is removed.
 * Errors: NO_MEMORY, EXISTS (the SSRC is another stream's, or one has sent with it: RFC 3711
 *         section 9.1 forbids to begin anew with the same keys), LIMIT (64 at once, 1,024 in
 *         all), CLOSED */
RTC_API RTC_MUST_CHECK RtcError rtc_connection_add_stream(RtcStream **stream,
                                                          RtcConnection *connection,
                                                          const RtcStreamConfig *config);
RTC_API void rtc_connection_remove_stream(RtcConnection *connection, RtcStream **stream);

enum {
  RTC_SEND_FRAME_START = 1, /* video: first packet of a frame */
  RTC_SEND_KEYFRAME = 2,    /* video: a packet of a keyframe */
};

/* Queues an RTP packet. Its SSRC and payload type are the stream's, its sequence number is given on
 * the way out, its timestamp is the packet's plus timestamp_offset, its header extension is left
 * out (extensions are hop by hop). The packet is shared, not copied, until it goes out.
 * Errors: NO_MEMORY, PROTO (not RTP, or longer than 65,501 octets), CLOSED; a drop is
 *         counted, and is no error */
RTC_API RtcError rtc_connection_send_rtp(RtcConnection *connection, RtcStream *stream,
                                         RtcPacket *packet, unsigned flags,
                                         uint32_t timestamp_offset);

/* Queues a compound RTCP packet; copied.
 * Errors: NO_MEMORY, PROTO, LIMIT (longer than 1,400 octets), CLOSED */
RTC_API RtcError rtc_connection_send_rtcp(RtcConnection *connection, const uint8_t *packet,
                                          size_t len);

#ifdef __cplusplus
}
#endif

#endif
