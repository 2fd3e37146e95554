/* Paces and sends frames, see publisher.h. */
#include "publisher.h"

#include "clock.h"
#include "rtcp.h"

#include <uv.h>

#include <math.h>
#include <stdlib.h>

#define TRICKLE_NS      NS_PER_S
#define CATCH_UP_MAX_NS NS_PER_S /* what is later is left out: the machine has slept */

struct Publisher {
  PublisherConfig config;
  uv_timer_t timer;
  RtcStream *stream; /* borrowed: the connection's */
  Pace pace;
  bool stopped;
  bool keyframe_wanted;
  uint32_t frames_to_keyframe;
  uint64_t began_ns;        /* RTP's timestamps count from here */
  uint64_t paced_ns;        /* of frame 0 of the pace */
  uint64_t paced;           /* frames since then, left out ones too */
  uint64_t late_ns;         /* at most, in this phase */
  uint32_t packets, octets; /* as a sender report counts them: they wrap */
  uint8_t packet[STREAM_SIZE_MAX];
};

/* ---- Frames ---------------------------------------------------------------------------------- */

static uint32_t timestamp_at(const Publisher *publisher, uint64_t now_ns) {
  double elapsed_s = (double)(now_ns - publisher->began_ns) / (double)NS_PER_S;
  return (uint32_t)(uint64_t)(elapsed_s * STREAM_CLOCK_RATE);
}

static RtcError send_packet(Publisher *publisher, const StreamStamp *stamp, uint32_t timestamp) {
  const PublisherConfig *config = &publisher->config;
  RtcPacket *packet;
  unsigned flags =
      (stamp->index == 0 ? RTC_SEND_FRAME_START : 0u) | (stamp->keyframe ? RTC_SEND_KEYFRAME : 0u);
  stream_write(publisher->packet, config->size, config->codec, stamp, timestamp);
  RtcError error = rtc_packet_new(&packet, publisher->packet, config->size);
  if (error != RTC_OK)
    return error;
  error = rtc_connection_send_rtp(config->connection, publisher->stream, packet, flags, 0);
  rtc_packet_unref(&packet);
  publisher->packets++;
  publisher->octets += (uint32_t)config->size - 12;
  return error;
}

/* What can't be sent is missing at the players: that is counted there. */
static void send_frame(Publisher *publisher, uint64_t now_ns) {
  Channel *channel = publisher->config.channel;
  bool trickles = publisher->pace == PACE_TRICKLE;
  StreamStamp stamp = {
      .channel = channel->id,
      .frame = atomic_load(&channel->next_frame),
      .count = trickles ? 1 : channel->packets,
      .keyframe = trickles || publisher->keyframe_wanted || publisher->frames_to_keyframe == 0,
      .sent_ns = now_ns,
  };
  publisher->keyframe_wanted = false;
  publisher->frames_to_keyframe =
      (stamp.keyframe ? publisher->config.gop : publisher->frames_to_keyframe) - 1;
  /* Before it is sent: no player may get a frame that is not counted yet. */
  atomic_store(&channel->next_frame, stamp.frame + 1);
  uint32_t timestamp = timestamp_at(publisher, now_ns);
  for (; stamp.index < stamp.count && !publisher->stopped; stamp.index++)
    if (send_packet(publisher, &stamp, timestamp) == RTC_ERROR_CLOSED)
      return;
}

/* ---- The pace -------------------------------------------------------------------------------- */

static uint64_t due_ns(const Publisher *publisher) {
  double period_ns = publisher->pace == PACE_TRICKLE ? (double)TRICKLE_NS
                                                     : (double)NS_PER_S / publisher->config.rate;
  double frames = (double)publisher->paced + publisher->config.offset;
  return publisher->paced_ns + (uint64_t)(frames * period_ns);
}

static void note_late(Publisher *publisher, uint64_t late_ns) {
  if (publisher->pace == PACE_FULL && late_ns > publisher->late_ns)
    publisher->late_ns = late_ns;
}

static void on_timer(uv_timer_t *timer) {
  Publisher *publisher = timer->data;
  uint64_t now_ns = clock_ns(), due;
  while (!publisher->stopped && (due = due_ns(publisher)) <= now_ns) {
    publisher->paced++;
    note_late(publisher, now_ns - due);
    if (now_ns - due > CATCH_UP_MAX_NS)
      continue;
    send_frame(publisher, now_ns);
    now_ns = clock_ns();
  }
  if (publisher->stopped)
    return;
  uv_update_time(timer->loop);
  /* Rounded up: a timer of 0 ms runs again before anything else of the loop does. */
  uint64_t wait_ms = (due_ns(publisher) - now_ns + NS_PER_MS - 1) / NS_PER_MS;
  uv_timer_start(timer, on_timer, wait_ms, 0);
}

void publisher_set_pace(Publisher *publisher, Pace pace) {
  publisher->pace = pace;
  publisher->paced = 0;
  publisher->paced_ns = clock_ns();
  publisher->keyframe_wanted = true;
  if (publisher->stopped || pace == PACE_NONE)
    uv_timer_stop(&publisher->timer);
  else
    uv_timer_start(&publisher->timer, on_timer, 0, 0);
}

void publisher_want_keyframe(Publisher *publisher) {
  publisher->keyframe_wanted = true;
}

/* ---- Reports --------------------------------------------------------------------------------- */

void publisher_report(Publisher *publisher) {
  uint8_t report[RTCP_LEN_MAX];
  const RtcpSender sender = {
      .ssrc = publisher->config.ssrc,
      .timestamp = timestamp_at(publisher, clock_ns()),
      .packets = publisher->packets,
      .octets = publisher->octets,
  };
  if (publisher->stopped)
    return;
  size_t len = rtcp_write_sender(report, &sender);
  (void)rtc_connection_send_rtcp(publisher->config.connection, report, len); /* the next will do */
}

void publisher_begin_phase(Publisher *publisher, Phase phase) {
  channel_begin(publisher->config.channel, phase);
  publisher->late_ns = 0;
}

uint64_t publisher_late_ns(const Publisher *publisher) {
  return publisher->late_ns;
}

/* ---- Its life -------------------------------------------------------------------------------- */

static void on_keyframe_wanted(void *arg) {
  publisher_want_keyframe(arg);
}

RtcError publisher_new(Publisher **publisher, const PublisherConfig *config) {
  Publisher *made = calloc(1, sizeof *made);
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  const RtcStreamConfig stream = {
      .media = RTC_MEDIA_VIDEO,
      .ssrc = config->ssrc,
      .payload_type = STREAM_PAYLOAD_TYPE,
      .clock_rate = STREAM_CLOCK_RATE,
      .on_keyframe_wanted = on_keyframe_wanted,
      .arg = made,
  };
  RtcError error = rtc_connection_add_stream(&made->stream, config->connection, &stream);
  if (error != RTC_OK) {
    free(made);
    return error;
  }
  made->config = *config;
  made->began_ns = clock_ns();
  uv_timer_init(config->loop, &made->timer);
  made->timer.data = made;
  *publisher = made;
  return RTC_OK;
}

static void on_timer_closed(uv_handle_t *handle) {
  free(handle->data);
}

void publisher_stop(Publisher *publisher) {
  if (!publisher || publisher->stopped)
    return;
  publisher->stopped = true;
  uv_close((uv_handle_t *)&publisher->timer, on_timer_closed);
}
