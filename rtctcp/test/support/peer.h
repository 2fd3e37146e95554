/* A WebRTC peer over TCP for the tests: real sockets, OpenSSL's DTLS, libsrtp2 and libnice's STUN,
 * called directly. It shares no code with the library, so that a shared mistake can't hide; of the
 * library it takes the public struct of the transport attributes only.
 *
 * Every step can be driven by itself, so that a test can cut a session at any moment.
 *
 * Thread: one at a time for each peer; different peers may be on different threads. Calls block, up
 * to their timeout. Results: PEER_OK or a negative PeerResult, unless a function says otherwise.
 * With RTC_TEST_PEER_DEBUG set in the environment, each failure is told on standard error. */
#ifndef RTC_TEST_PEER_H
#define RTC_TEST_PEER_H

#include <rtctcp/sdp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_CONNS_MAX     8    /* TCP conns that a peer may have: more than a session may */
#define PEER_ANY           (-1) /* a conn index: whichever */
#define PEER_MEDIA_MAX     2048 /* a media packet, protected or not [octets] */
#define PEER_STUN_MAX      1024 /* a binding request [octets] */
#define PEER_RETRANSMIT_MS 3000
#ifndef PEER_TIMEOUT_MS
#define PEER_TIMEOUT_MS 30000 /* for any answer: the first NSS start under Valgrind takes 10 s */
#endif

typedef enum PeerResult {
  PEER_OK = 0,
  PEER_TIMEOUT = -1, /* nothing of what was awaited came; what came in part is kept */
  PEER_EOF = -2,     /* the other side closed, at a frame's boundary */
  PEER_CUT = -3,     /* the other side closed, inside a frame */
  PEER_RESET = -4,   /* the other side reset the conn */
  PEER_CLOSED = -5,  /* close_notify came */
  PEER_ALERT = -6,   /* a fatal alert came: see peer_alert_received */
  PEER_BAD = -7,     /* what came breaks its RFC or does not authenticate */
  PEER_EARLY = -8,   /* something else than STUN came on a conn before its binding response */
  PEER_FAILED = -9,  /* a call out of order, or a system or library call that failed */
} PeerResult;

typedef struct RtcPeer RtcPeer;

typedef struct PeerConfig {
  const char *ufrag;         /* copied; NULL: random */
  const char *pwd;           /* copied; NULL: random */
  RtcSetup setup;            /* what the offer says; NONE: actpass, as browsers do */
  const char *srtp_profiles; /* OpenSSL's list, copied; NULL: Chrome's */
  size_t mtu;                /* of DTLS: 256 cuts each flight in fragments; 0: 1,200 [octets] */
  int receive_buffer;        /* SO_RCVBUF of the conns; 0: the system's [octets] */
  unsigned retransmit_ms;    /* of DTLS; 0: PEER_RETRANSMIT_MS, no doubling */
} PeerConfig;

/* config may be NULL: all defaults. NULL: out of memory. */
RtcPeer *peer_new(const PeerConfig *config);
/* Closes every conn by close(2), sends nothing. NULL is fine. */
void peer_destroy(RtcPeer *peer);

/* What this peer's offer says; the process has one certificate for all peers. */
void peer_local_transport(const RtcPeer *peer, RtcSdpTransport *transport);
/* Takes the answer: credentials, fingerprints, and the DTLS role (RFC 8842 section 5.3).
 * A second call is an ICE restart's answer: the DTLS association and its role stay.
 * PEER_BAD: no ufrag, pwd or fingerprint, or a setup that can't answer the offered one */
int peer_set_remote(RtcPeer *peer, const RtcSdpTransport *transport);
/* An ICE restart's offer: new random credentials. */
void peer_restart_ice(RtcPeer *peer);
/* The next own certificate check takes any certificate. */
void peer_trust_any(RtcPeer *peer);

/* -- TCP -- */

/* Opens conn number index to a numeric IPv4 or IPv6 address. A conn still there is closed. */
int peer_connect_conn(RtcPeer *peer, int conn, const char *address, uint16_t port);
/* The same, for the first conn, which is selected. */
int peer_connect(RtcPeer *peer, const char *address, uint16_t port);
/* Takes over a connected socket, as the passive side of a test would. */
int peer_adopt(RtcPeer *peer, int conn, int fd);
/* Closes a conn, connects it anew to the same address, and binds it; DTLS and SRTP go on.
 * flags, result: see peer_bind */
int peer_reconnect(RtcPeer *peer, int conn, unsigned flags);
/* The conn that DTLS and media go out on. peer_bind with PEER_USE_CANDIDATE selects too. */
void peer_select(RtcPeer *peer, int conn);
int peer_selected(const RtcPeer *peer);
int peer_fd(const RtcPeer *peer, int conn); /* borrowed; -1: none */

/* Octets as they are, without a frame's header. */
int peer_send_raw(RtcPeer *peer, int conn, const void *data, size_t len);
/* One RFC 4571 frame. */
int peer_send_frame(RtcPeer *peer, int conn, const void *data, size_t len);
/* The next frame of this conn, whatever is in it; nothing is answered.
 * PEER_BAD: longer than cap, and lost */
int peer_receive_frame(RtcPeer *peer, int conn, uint8_t *data, size_t cap, size_t *len,
                       int timeout_ms);

void peer_fin(RtcPeer *peer, int conn);   /* shuts the write side; reading goes on */
void peer_close(RtcPeer *peer, int conn); /* close(2) */
void peer_rst(RtcPeer *peer, int conn);   /* closes with a RST */

/* Reads a conn to its end: answers STUN, feeds DTLS, drops media.
 * returns  PEER_EOF, PEER_CUT, PEER_RESET; PEER_TIMEOUT: it is still open */
int peer_wait_closed(RtcPeer *peer, int conn, int timeout_ms);

/* -- STUN -- */

enum {
  PEER_USE_CANDIDATE = 1,
  PEER_CONTROLLED = 1 << 1, /* ICE-CONTROLLED instead of ICE-CONTROLLING */
  PEER_NO_USERNAME = 1 << 2,
  PEER_UNKNOWN_UFRAG = 1 << 3,   /* USERNAME names a session that is not */
  PEER_WRONG_OWN_UFRAG = 1 << 4, /* the second half of USERNAME is not this peer's */
  PEER_NO_INTEGRITY = 1 << 5,
  PEER_BAD_INTEGRITY = 1 << 6, /* made with another password */
  PEER_NO_FINGERPRINT = 1 << 7,
  PEER_BAD_FINGERPRINT = 1 << 8,
  PEER_UNKNOWN_REQUIRED = 1 << 9, /* an unknown comprehension-required attribute, 0x0777 */
  PEER_INDICATION = 1 << 10,      /* a binding indication: nothing is awaited */
};

/* Writes a binding request as Chrome does (an unknown optional attribute in it), for conn's next
 * peer_await_response. returns its length, or a PeerResult */
int peer_make_request(RtcPeer *peer, int conn, unsigned flags, uint8_t request[PEER_STUN_MAX]);
int peer_send_request(RtcPeer *peer, int conn, unsigned flags);
/* Awaits the answer to the last request of this conn, and checks it: transaction, FINGERPRINT,
 * MESSAGE-INTEGRITY (RFC 8489 section 9.1.4), and that XOR-MAPPED-ADDRESS is this socket's.
 * returns  0: success; above 0: the answer's error code; else a PeerResult */
int peer_await_response(RtcPeer *peer, int conn, int timeout_ms);
/* Sends a request and awaits the answer, PEER_TIMEOUT_MS at most. Result: as above. */
int peer_bind(RtcPeer *peer, int conn, unsigned flags);

/* -- DTLS, through the selected conn -- */

/* Sends this side's next flight; before that it awaits what that flight answers. PEER_OK: a flight
 * went out, or the handshake has ended. Lost flights are sent again by OpenSSL's timer. */
int peer_handshake_step(RtcPeer *peer, int timeout_ms);
/* Runs the handshake to its end. The certificate is checked against the signalled fingerprint. */
int peer_handshake(RtcPeer *peer, int timeout_ms);
bool peer_connected(const RtcPeer *peer); /* the handshake has ended well */
/* "SRTP_AEAD_AES_128_GCM", ...; NULL before the end of the handshake. */
const char *peer_srtp_profile(const RtcPeer *peer);
size_t peer_handshakes(const RtcPeer *peer); /* flights sent again or anew would show here */

/* In every state of the handshake: in clear before there are keys. */
int peer_close_notify(RtcPeer *peer);
int peer_fatal_alert(RtcPeer *peer, uint8_t description);
bool peer_close_notify_received(const RtcPeer *peer);
int peer_alert_received(const RtcPeer *peer); /* description of the last fatal alert; -1: none */

/* -- Media, through the selected conn -- */

/* Protects a packet in place; cap: room in packet, 32 octets more than *len are enough. */
int peer_protect(RtcPeer *peer, bool rtcp, uint8_t *packet, size_t *len, size_t cap);
int peer_send_rtp(RtcPeer *peer, const uint8_t *packet, size_t len);
int peer_send_rtcp(RtcPeer *peer, const uint8_t *packet, size_t len);

typedef struct PeerMedia {
  int conn;  /* it came on this one */
  bool rtcp; /* RTCP, not RTP */
  size_t len;
  uint8_t data[PEER_MEDIA_MAX]; /* opened */
} PeerMedia;

/* The next media packet of any conn, opened; STUN and DTLS are served meanwhile.
 * PEER_CLOSED, PEER_ALERT: the session ended. PEER_EOF and so on: the last conn did.
 * PEER_BAD: it does not authenticate, or is none of RFC 7983's classes */
int peer_receive_media(RtcPeer *peer, PeerMedia *media, int timeout_ms);

/* The same, passing over RTCP (rtcp false) or RTP (rtcp true). */
int peer_receive_kind(RtcPeer *peer, PeerMedia *media, bool rtcp, int timeout_ms);

#endif
