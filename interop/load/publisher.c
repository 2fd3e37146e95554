/* Paces and sends frames, see publisher.h. */
#include "publisher.h"

#include "clock.h"
#include "rtcp.h"

#include <uv.h>

#include <math.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TRICKLE_NS      NS_PER_S
#define CATCH_UP_MAX_NS NS_PER_S /* what is later is left out: the machine has slept */

struct Publisher {
  PublisherConfig config;
  uv_poll_t ticks;
  int timer_fd;      /* owned: expires when a frame is due; libuv's timers know milliseconds only */
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

static double period_ns(const Publisher *publisher) {
  return publisher->pace == PACE_TRICKLE ? (double)TRICKLE_NS
                                         : (double)NS_PER_S / publisher->config.rate;
}

static uint64_t due_ns(const Publisher *publisher) {
  double frames = (double)publisher->paced + publisher->config.offset;
  return publisher->paced_ns + (uint64_t)(frames * period_ns(publisher));
}

static void note_late(Publisher *publisher, uint64_t late_ns) {
  if (publisher->pace == PACE_FULL && late_ns > publisher->late_ns)
    publisher->late_ns = late_ns;
}

static void send_due_frames(Publisher *publisher) {
  uint64_t now_ns = clock_ns(), due;
  while (!publisher->stopped && (due = due_ns(publisher)) <= now_ns) {
    publisher->paced++;
    note_late(publisher, now_ns - due);
    if (now_ns - due > CATCH_UP_MAX_NS)
      continue;
    send_frame(publisher, now_ns);
    now_ns = clock_ns();
  }
}

static struct timespec timespec_of(uint64_t ns) {
  return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* The timer expires once, when the next frame is due; it fails for a wrong time only. */
static void await_next_frame(Publisher *publisher) {
  const struct itimerspec due = {.it_value = timespec_of(due_ns(publisher))};
  timerfd_settime(publisher->timer_fd, TFD_TIMER_ABSTIME, &due, NULL);
}

static void on_tick(uv_poll_t *ticks, int status, int events) {
  Publisher *publisher = ticks->data;
  (void)status;
  (void)events;
  send_due_frames(publisher);
  if (!publisher->stopped)
    await_next_frame(publisher); /* and what has expired is forgotten, without a read */
}

void publisher_set_pace(Publisher *publisher, Pace pace) {
  static const struct itimerspec never = {0};
  publisher->pace = pace;
  publisher->paced = 0;
  publisher->paced_ns = clock_ns();
  publisher->keyframe_wanted = true;
  if (publisher->stopped)
    return;
  if (pace == PACE_NONE)
    timerfd_settime(publisher->timer_fd, 0, &never, NULL);
  else
    await_next_frame(publisher);
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

static void free_publisher(Publisher *publisher) {
  if (publisher->timer_fd >= 0)
    close(publisher->timer_fd);
  free(publisher);
}

static RtcError add_stream(Publisher *publisher) {
  const RtcStreamConfig stream = {
      .media = RTC_MEDIA_VIDEO,
      .ssrc = publisher->config.ssrc,
      .payload_type = STREAM_PAYLOAD_TYPE,
      .clock_rate = STREAM_CLOCK_RATE,
      .on_keyframe_wanted = on_keyframe_wanted,
      .arg = publisher,
  };
  return rtc_connection_add_stream(&publisher->stream, publisher->config.connection, &stream);
}

RtcError publisher_new(Publisher **publisher, const PublisherConfig *config) {
  Publisher *made = calloc(1, sizeof *made);
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  made->config = *config;
  made->began_ns = clock_ns();
  made->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  RtcError error = made->timer_fd >= 0 ? add_stream(made) : RTC_ERROR_SYSTEM;
  if (error != RTC_OK) {
    free_publisher(made);
    return error;
  }
  uv_poll_init(config->loop, &made->ticks, made->timer_fd);
  made->ticks.data = made;
  uv_poll_start(&made->ticks, UV_READABLE, on_tick);
  *publisher = made;
  return RTC_OK;
}

static void on_ticks_closed(uv_handle_t *handle) {
  free_publisher(handle->data);
}

void publisher_stop(Publisher *publisher) {
  if (!publisher || publisher->stopped)
    return;
  publisher->stopped = true;
  uv_close((uv_handle_t *)&publisher->ticks, on_ticks_closed);
}
