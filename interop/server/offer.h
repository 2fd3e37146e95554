/* An SDP offer, read into what a WHIP or WHEP server has to know of it.
 * Source: RFC 8866 (SDP), RFC 8829 (JSEP), RFC 9143 (BUNDLE), RFC 8285 (extmap). Any thread. */
#ifndef SERVER_OFFER_H
#define SERVER_OFFER_H

#include <rtctcp/sdp.h>
#include <rtctcp/source.h>

#define OFFER_MEDIAS_MAX  16
#define OFFER_FORMATS_MAX 64 /* of one media section that are looked at */
#define OFFER_REASON_MAX  192

/* The one header extension that is of use here (draft-holmer-rmcat-transport-wide-cc). */
#define OFFER_TWCC_URI "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

/* One payload type with a codec that the server knows. */
typedef struct OfferFormat {
  uint8_t payload_type;
  RtcCodec codec;
  uint32_t clock_rate; /* [Hz] */
  const char *rtpmap;  /* borrowed from the offer: "opus/48000/2" */
  const char *fmtp;    /* borrowed from the offer; NULL: none */
  bool nack_pli;       /* a=rtcp-fb */
  bool transport_cc;
} OfferFormat;

typedef struct OfferMedia {
  const char *kind;         /* borrowed from the offer: "audio" */
  const char *proto;        /* borrowed: "UDP/TLS/RTP/SAVPF" */
  const char *first_format; /* borrowed: what a rejecting answer repeats */
  const char *mid;          /* borrowed; NULL: none */
  bool disabled;            /* port 0, and not bundle-only */
  bool sends, receives;     /* the direction, from the offerer's side */
  bool bundled;
  bool rtcp_mux;
  bool rtcp_rsize;
  uint8_t twcc_id;                        /* of the transport-wide-cc extension; 0: none */
  OfferFormat formats[OFFER_FORMATS_MAX]; /* in the offerer's order of preference */
  size_t format_count;
} OfferMedia;

typedef struct Offer {
  RtcSdpTransport transport;
  OfferMedia *medias; /* owned */
  size_t media_count;
  void *message; /* owned: gstsdp's, which holds the texts */
} Offer;

/* Reads an offer. What is wrong with single media sections is the negotiation's to judge.
 * reason  out on failure: a line of text that tells a person what can't be used
 * Errors: PROTO, NO_MEMORY */
RTC_MUST_CHECK RtcError offer_parse(Offer *offer, const char *sdp, size_t len,
                                    char reason[OFFER_REASON_MAX]);
/* Fine on a zeroed offer, and twice. */
void offer_finish(Offer *offer);

#endif
