/* The walk's peer of one session: OpenSSL's DTLS and libsrtp2, with nothing between it and the
 * walk, which carries each datagram itself, one at a time, through whichever TCP conn it likes. */
#ifndef RTC_TEST_WALK_PEER_H
#define RTC_TEST_WALK_PEER_H

#include <rtctcp/sdp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WALK_FLIGHT_MAX 32   /* datagrams */
#define WALK_MEDIA_MAX  2048 /* a media packet, protected [octets] */

struct RtcPeer;

typedef struct WalkDatagram {
  uint8_t *data; /* owned */
  size_t len;
} WalkDatagram;

typedef struct WalkPeer {
  struct RtcPeer *dtls; /* owned: the tests' peer, of which DTLS and SRTP are used */
  void *input, *output; /* borrowed: the SSL's BIOs */
  WalkDatagram flight[WALK_FLIGHT_MAX]; /* the last one: a record each */
  size_t flight_count;
  unsigned flight_number;
  bool final;          /* the flight ends the handshake here: it has a ChangeCipherSpec */
  bool certified;      /* a flight with the certificate was begun to be delivered */
  size_t next;         /* the datagram to be sent next */
  uint32_t delivered;  /* datagrams of the flight that the library has got, as bits */
  bool late_delivered; /* of a flight that OpenSSL has made anew meanwhile: it may complete it */
  size_t in_order;     /* that many of them without a gap */
  uint32_t records;    /* numbered so far, in clear */
  uint16_t sequence;
  uint8_t media[WALK_MEDIA_MAX]; /* the last packet that the library has opened */
  size_t media_len;              /* 0: none yet */
} WalkPeer;

/* passive: awaits the library's ClientHello. false: no memory */
bool walk_peer_init(WalkPeer *peer, bool passive, size_t mtu);
void walk_peer_finish(WalkPeer *peer);
/* Takes the library's answer, and begins. */
bool walk_peer_start(WalkPeer *peer, const RtcSdpTransport *answer);

/* What the offer says. */
void walk_peer_transport(const WalkPeer *peer, RtcSdpTransport *transport);

/* A datagram of the library has come. */
void walk_peer_input(WalkPeer *peer, const uint8_t *datagram, size_t len);
/* The next datagram of the flight; NULL: all have been sent. */
const WalkDatagram *walk_peer_next(const WalkPeer *peer);
/* The flight is to be sent once more. */
void walk_peer_retransmit(WalkPeer *peer);
/* The library has got this one. */
void walk_peer_delivered(WalkPeer *peer, unsigned flight, size_t datagram);

bool walk_peer_connected(const WalkPeer *peer);
bool walk_peer_notified(const WalkPeer *peer); /* close_notify has come */
/* The library may be, must be, connected by now; may, must know the certificate. */
bool walk_peer_may_connect(const WalkPeer *peer);
bool walk_peer_must_connect(const WalkPeer *peer);
bool walk_peer_must_know(const WalkPeer *peer);

/* A record; returns its length, 0: not possible now. */
size_t walk_peer_alert(WalkPeer *peer, bool fatal, uint8_t record[WALK_MEDIA_MAX]);

/* A media packet with so many octets of payload. Protected, if there are keys; else in clear. */
size_t walk_peer_media(WalkPeer *peer, bool rtcp, size_t payload_len,
                       uint8_t packet[WALK_MEDIA_MAX]);
/* Opens what the library has sent.
 * ssrc, sequence  out: written if it is RTP that is not too old
 * false: it does not authenticate */
bool walk_peer_open(WalkPeer *peer, const uint8_t *packet, size_t len, uint16_t *sequence,
                    uint32_t *ssrc);

#endif
