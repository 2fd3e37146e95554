/* What a host does from inside its callbacks: it closes this session, another one, the server,
 * opens new ones, gives its handles back. Nothing is touched after its end, and nobody is called
 * after CLOSED (the teardown, and the sanitizers, check the rest). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/broadcast.h"

#include "transport/rtc_connection_internal.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#define CONNECTED RTC_CONNECTION_STATE_CONNECTED
#define CLOSED    RTC_CONNECTION_STATE_CLOSED

#define BIG         ((size_t)60 * 1000) /* a packet; 35 of them fill a send queue [octets] */
#define FILLERS     40
#define OWN_SSRC    UINT32_C(0x51515100)
#define OWN_PAYLOAD 100

/* -- Packets of the host's own -- */

static RtcPacket *make_packet(size_t payload_len, uint32_t timestamp) {
  static uint8_t packet[RTP_HEADER_LEN + BIG]; /* of the worker's thread */
  static const uint8_t payload[BIG];
  const RtpHeader header = {.payload_type = 1, .timestamp = timestamp, .ssrc = 1};
  RtcPacket *made;
  size_t len = rtp_write(packet, &header, payload, payload_len);
  assert_int_equal(rtc_packet_new(&made, packet, len), RTC_OK);
  return made;
}

static RtcStream *add_video(RtcConnection *connection, uint32_t number, void (*wanted)(void *arg),
                            void *arg) {
  RtcStream *stream;
  const RtcStreamConfig config = {.media = RTC_MEDIA_VIDEO,
                                  .ssrc = OWN_SSRC + number,
                                  .payload_type = OWN_PAYLOAD,
                                  .clock_rate = 90000,
                                  .on_keyframe_wanted = wanted,
                                  .arg = arg};
  assert_int_equal(rtc_connection_add_stream(&stream, connection, &config), RTC_OK);
  return stream;
}

static void send_video(RtcConnection *connection, RtcStream *stream, bool keyframe, size_t len) {
  unsigned flags = RTC_SEND_FRAME_START | (keyframe ? RTC_SEND_KEYFRAME : 0u);
  RtcPacket *packet = make_packet(len, 0);
  RtcError error = rtc_connection_send_rtp(connection, stream, packet, flags, 0);
  assert_true(error == RTC_OK || error == RTC_ERROR_CLOSED);
  rtc_packet_unref(&packet);
}

/* -- on_keyframe_wanted -- */

typedef struct Wish {
  RtcConnection *connection; /* borrowed: closed by the first callback; NULL: none is */
  RtcStream *streams[3];
  size_t count;        /* callbacks */
  size_t after_closed; /* of these */
  RtcConnectionState state;
} Wish;

static void close_at_wish(void *arg) {
  Wish *wish = arg;
  wish->after_closed += rtc_connection_state(wish->connection) == CLOSED;
  wish->count++;
  rtc_connection_close(wish->connection);
}

/* Three streams that await nothing, and more packets of the first one than the queue holds: then
 * all of them want a keyframe at once. */
static void overfill(void *arg) {
  Wish *wish = arg;
  for (uint32_t i = 0; i < COUNT_OF(wish->streams); i++) {
    wish->streams[i] = add_video(wish->connection, i, close_at_wish, wish);
    send_video(wish->connection, wish->streams[i], true, 100);
  }
  for (int i = 0; i < FILLERS; i++)
    send_video(wish->connection, wish->streams[0], false, BIG);
  wish->state = rtc_connection_state(wish->connection);
}

/* The first of several streams that want a keyframe closes the session: the others are not told. */
static void closed_session_wants_no_keyframes(void **state) {
  Broadcast *broadcast = *state;
  HostSession *session = host_open_connected(broadcast->host, NULL);
  Wish wish = {.connection = session->connection};
  host_run(broadcast->host, overfill, &wish);
  assert_int_equal(wish.state, CLOSED);
  assert_int_equal(wish.after_closed, 0);
  assert_int_equal(wish.count, 1);
  host_await_closed(session, RTC_CLOSE_HOST);
}

static void begin_video(void *arg) {
  Wish *wish = arg;
  wish->streams[0] = add_video(wish->connection, 0, close_at_wish, wish);
  send_video(wish->connection, wish->streams[0], true, BIG);
}

static void go_on_with_video(void *arg) {
  Wish *wish = arg;
  send_video(wish->connection, wish->streams[0], false, BIG);
  wish->state = rtc_connection_state(wish->connection);
}

typedef struct Look {
  Wish *wish;
  bool waits;
  size_t wishes;
} Look;

static void look(void *arg) {
  Look *seen = arg;
  seen->waits = !rtc_send_queue_empty(&seen->wish->connection->send_queue);
  seen->wishes = seen->wish->count;
}

/* Fills the socket of a peer that does not read, and waits until what waits here is too late. */
static HostSession *let_media_be_late(Broadcast *broadcast, Wish *wish) {
  const PeerConfig config = {.receive_buffer = 128 * 1024};
  HostSession *session = host_open_connected(broadcast->host, &config);
  *wish = (Wish){.connection = session->connection};
  Look seen = {.wish = wish};
  host_run(broadcast->host, begin_video, wish);
  for (int i = 0; i < 400 && !seen.waits; i++) {
    host_run(broadcast->host, go_on_with_video, wish);
    usleep(1000);
    host_run(broadcast->host, look, &seen);
  }
  assert_true(seen.waits);
  usleep(600 * 1000);
  host_run(broadcast->host, look, &seen);
  assert_int_equal(seen.wishes, 0);
  return session;
}

/* What is too late is found out in the loop, in the middle of a send: the session ends there. */
static void session_ends_itself_while_it_is_sent_to(void **state) {
  Wish wish;
  HostSession *session = let_media_be_late(*state, &wish);
  peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS); /* reads */
  host_await_closed(session, RTC_CLOSE_HOST);
  assert_int_equal(wish.count, 1);
}

/* On the worker's thread, so that the loop finds both at once: room in the socket, and a frame. */
static void read_and_send(void *arg) {
  static const uint8_t frame[40] = {0x80};
  static uint8_t scrap[65536];
  const HostSession *session = arg;
  for (int i = 0; i < 1000; i++)
    if (recv(peer_fd(session->peer, 0), scrap, sizeof scrap, MSG_DONTWAIT) <= 0)
      break;
  assert_int_equal(peer_send_frame(session->peer, 0, frame, sizeof frame), PEER_OK);
}

/* The same while the peer sends: what it sent is not looked at any more. */
static void session_ends_itself_between_a_send_and_a_read(void **state) {
  Wish wish;
  HostSession *session = let_media_be_late(*state, &wish);
  host_run(((Broadcast *)*state)->host, read_and_send, session);
  peer_wait_closed(session->peer, 0, PEER_TIMEOUT_MS);
  host_await_closed(session, RTC_CLOSE_HOST);
  assert_int_equal(wish.count, 1);
}

/* -- A send in the middle -- */

typedef struct Nest {
  RtcBlockPool pool;
  RtcFrameWriter writer;
  int fds[2];
  bool filled;
} Nest;

/* Media's turn: a callback of the host's ends the session, whose last word is queued and flushed,
 * when the socket takes no more just then. Empty frames fill it. */
static size_t fill_and_flush(uint8_t *out, size_t cap, void *arg) {
  static const uint8_t empty[2], last_word[40] = {1};
  Nest *nest = arg;
  uint8_t chunk[4096];
  assert_true(cap > 102);
  if (nest->filled)
    return 0;
  nest->filled = true;
  while (send(nest->fds[0], empty, sizeof empty, MSG_DONTWAIT) == sizeof empty)
    ;
  assert_int_equal(rtc_frame_writer_control(&nest->writer, last_word, sizeof last_word), RTC_OK);
  RtcError error =
      rtc_frame_writer_flush(&nest->writer, nest->fds[0], chunk, sizeof chunk, NULL, NULL);
  assert_true(error == RTC_OK || error == RTC_ERROR_AGAIN);
  memset(out, 2, 102);
  rtp_write16(out, 100);
  return 102;
}

/* Both frames come, each whole, and once. */
static void writer_is_flushed_inside_its_own_flush(void **state) {
  (void)state;
  Nest nest = {.filled = false};
  static uint8_t chunk[65536], got[65536];
  size_t len = 0, control = 0, media = 0;
  RtcError error = RTC_ERROR_AGAIN;
  rtc_block_pool_init(&nest.pool, NULL, NULL);
  rtc_frame_writer_init(&nest.writer, &nest.pool, 1024);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, nest.fds), 0);
  for (int turn = 0; turn < 10 && error == RTC_ERROR_AGAIN; turn++) {
    ssize_t n;
    error = rtc_frame_writer_flush(&nest.writer, nest.fds[0], chunk, sizeof chunk, fill_and_flush,
                                   &nest);
    while ((n = recv(nest.fds[1], got + len, sizeof got - len, MSG_DONTWAIT)) > 0)
      len += (size_t)n;
  }
  assert_int_equal(error, RTC_OK);
  for (size_t at = 0; at < len; at += 2 + rtp_read16(got + at)) {
    control += rtp_read16(got + at) == 40 && got[at + 2] == 1;
    media += rtp_read16(got + at) == 100 && got[at + 2] == 2;
  }
  assert_int_equal(control, 1);
  assert_int_equal(media, 1);
  rtc_frame_writer_finish(&nest.writer);
  rtc_block_pool_finish(&nest.pool);
  close(nest.fds[0]);
  close(nest.fds[1]);
}

/* The callback ends the session, and there is no media any more. */
static size_t end_in_fill(uint8_t *out, size_t cap, void *arg) {
  static const uint8_t last_word[40] = {1};
  Nest *nest = arg;
  (void)out;
  (void)cap;
  if (!nest->filled)
    assert_int_equal(rtc_frame_writer_control(&nest->writer, last_word, sizeof last_word), RTC_OK);
  nest->filled = true;
  return 0;
}

/* A fill that gives nothing but a last word is the end of the TCP conn: no later flush sends it. */
static void last_word_of_an_empty_fill_goes_out(void **state) {
  (void)state;
  Nest nest = {.filled = false};
  uint8_t chunk[4096], got[64];
  rtc_block_pool_init(&nest.pool, NULL, NULL);
  rtc_frame_writer_init(&nest.writer, &nest.pool, 1024);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, nest.fds), 0);
  assert_int_equal(
      rtc_frame_writer_flush(&nest.writer, nest.fds[0], chunk, sizeof chunk, end_in_fill, &nest),
      RTC_OK);
  assert_int_equal(recv(nest.fds[1], got, sizeof got, MSG_DONTWAIT), 2 + 40);
  rtc_frame_writer_finish(&nest.writer);
  rtc_block_pool_finish(&nest.pool);
  close(nest.fds[0]);
  close(nest.fds[1]);
}

/* -- A source in the middle of its fan-out -- */

typedef enum Deed {
  CLOSE_THIS_CONSUMER,
  CLOSE_THE_OTHER_CONSUMER,
  CLOSE_ALL_CONSUMERS,
  CLOSE_THE_PUBLISHER,
  ELIMINATE_THE_SOURCE,
  UNPUBLISH,
  DEEDS,
} Deed;

typedef struct Fan {
  Broadcast *broadcast;
  Deed deed;
  RtcConnection *publisher, *full, *other; /* borrowed */
  size_t done;
} Fan;

static void do_deed(void *arg) {
  Fan *fan = arg;
  RtcSource *source = rtc_source_manager_fetch(fan->broadcast->manager, "live");
  fan->done++;
  switch (fan->deed) {
  case CLOSE_THIS_CONSUMER:
    rtc_connection_close(fan->full);
    break;
  case CLOSE_THE_OTHER_CONSUMER:
    rtc_connection_close(fan->other);
    break;
  case CLOSE_ALL_CONSUMERS:
    rtc_connection_close(fan->other);
    rtc_connection_close(fan->full);
    break;
  case CLOSE_THE_PUBLISHER:
    rtc_connection_close(fan->publisher);
    break;
  case ELIMINATE_THE_SOURCE:
    rtc_source_manager_eliminate(fan->broadcast->manager, "live");
    break;
  case UNPUBLISH:
    if (source)
      rtc_source_unpublish(source);
    break;
  case DEEDS:
    break;
  }
  rtc_source_unref(&source);
}

/* The publisher's host takes its packets too, after the source: not after CLOSED. */
static void expect_live(RtcConnection *connection, const uint8_t *packet, size_t len, void *arg) {
  (void)packet;
  (void)len;
  (void)arg;
  assert_int_not_equal(rtc_connection_state(connection), CLOSED);
}

/* A stream of the host's own beside a consumer, on one Connection: it fills the queue, and wants a
 * keyframe when the source's next audio packet makes room for itself. */
static void forward_into_a_full_queue(void *arg) {
  Fan *fan = arg;
  uint8_t packet[256];
  const RtpHeader header = {
      .payload_type = PUBLISHER_OPUS, .sequence = 9, .timestamp = 960, .ssrc = PUBLISHER_AUDIO};
  size_t len = rtp_write_opus(packet, &header, 80);
  RtcStream *own = add_video(fan->full, 0, do_deed, fan);
  const size_t limit = rtc_send_limits_default.octets;
  send_video(fan->full, own, true, BIG);
  while (fan->full->send_queue.octets + BIG + 200 < limit)
    send_video(fan->full, own, false, BIG);
  send_video(fan->full, own, false, limit - fan->full->send_queue.octets - 100);
  assert_int_equal(fan->done, 0);
  fan->publisher->callbacks.on_rtp = expect_live;
  rtc_connection_tell_rtp(fan->publisher, packet, len);
  assert_true(fan->done > 0);
}

static void source_survives_what_a_host_does_during_its_fan_out(void **state) {
  Broadcast *broadcast = *state;
  Host *host = broadcast->host;
  for (int deed = 0; deed < DEEDS; deed++) {
    for (int order = 0; order < 2; order++) {
      HostSession *publisher = host_open_connected(host, NULL);
      HostSession *full = host_open_connected(host, NULL);
      HostSession *other = host_open_connected(host, NULL);
      Fan fan = {.broadcast = broadcast,
                 .deed = (Deed)deed,
                 .publisher = publisher->connection,
                 .full = full->connection,
                 .other = other->connection};
      assert_int_equal(broadcast_publish(broadcast, "live", publisher), RTC_OK);
      assert_int_equal(broadcast_consume(broadcast, "live", order ? full : other, 0, NULL), RTC_OK);
      assert_int_equal(broadcast_consume(broadcast, "live", order ? other : full, 0, NULL), RTC_OK);
      host_run(host, forward_into_a_full_queue, &fan);
      host_close_connection(publisher);
      host_close_connection(full);
      host_close_connection(other);
      broadcast_assert_live(broadcast, 0, 0);
      host_forget(other);
      host_forget(full);
      host_forget(publisher);
    }
  }
}

/* -- Sessions among each other -- */

typedef struct Ring Ring;

/* A session whose callbacks act upon the others. */
typedef struct Member {
  Ring *ring;                /* back */
  RtcConnection *connection; /* owned: a handle; NULL: given back */
  uint64_t id;
  size_t after_closed;
  bool closed;
} Member;

struct Ring {
  Host *host;
  RtcServer *server;
  Member members[64];
  size_t count;
  RtcConnectionState at; /* in this state's callback the host acts */
  void (*act)(Member *member);
  RtcError error; /* of the last rtc_connection_new */
};

static void member_state(RtcConnection *connection, RtcConnectionState state, void *arg) {
  Member *member = arg;
  (void)connection;
  member->after_closed += member->closed;
  member->closed = state == CLOSED;
  if (state == member->ring->at)
    member->ring->act(member);
}

static Member *open_member(Ring *ring, const RtcSdpTransport *offer) {
  Member *member = &ring->members[ring->count];
  assert_true(ring->count < COUNT_OF(ring->members));
  const RtcConnectionConfig config = {
      .remote = offer, .callbacks = {.on_state = member_state}, .arg = member};
  member->ring = ring;
  ring->error = rtc_connection_new(&member->connection, ring->server, ring->host->worker, &config);
  if (ring->error)
    return NULL;
  member->id = rtc_connection_id(member->connection);
  ring->count++;
  return member;
}

typedef struct Opening {
  Ring *ring;
  RtcPeer *peer;
  Member *member;
  RtcSdpTransport answer;
} Opening;

static void do_open(void *arg) {
  Opening *opening = arg;
  RtcSdpTransport offer;
  peer_local_transport(opening->peer, &offer);
  opening->member = open_member(opening->ring, &offer);
  assert_non_null(opening->member);
  rtc_connection_local_transport(opening->member->connection, &opening->answer);
}

static RtcPeer *join_ring(Ring *ring) {
  Opening opening = {.ring = ring, .peer = peer_new(NULL)};
  host_run(ring->host, do_open, &opening);
  assert_int_equal(peer_set_remote(opening.peer, &opening.answer), PEER_OK);
  assert_int_equal(
      peer_connect(opening.peer, ring->host->address, rtc_server_port(ring->server, 0)), PEER_OK);
  return opening.peer;
}

static void give_back_all(void *arg) {
  Ring *ring = arg;
  for (size_t i = 0; i < ring->count; i++) {
    Member *member = &ring->members[i];
    RtcConnection *live = rtc_server_find(ring->server, ring->host->worker, member->id);
    if (live) /* the server's, where the host has given its handle back */
      rtc_connection_close(live);
    rtc_connection_unref(&member->connection);
  }
}

static void assert_silent_after_closed(const Ring *ring) {
  for (size_t i = 0; i < ring->count; i++)
    assert_int_equal(ring->members[i].after_closed, 0);
}

static void close_everybody(Member *member) {
  Ring *ring = member->ring;
  for (size_t i = 0; i < ring->count; i++)
    if (ring->members[i].connection)
      rtc_connection_close(ring->members[i].connection);
}

static void give_own_handle_back(Member *member) {
  rtc_connection_unref(&member->connection);
}

static void give_handle_back_and_close(Member *member) {
  RtcConnection *connection = member->connection;
  rtc_connection_unref(&member->connection);
  rtc_connection_close(connection); /* the server holds it still, if it was not CLOSED */
}

static void open_another(Member *member) {
  RtcSdpTransport offer;
  RtcPeer *peer = peer_new(NULL);
  peer_local_transport(peer, &offer);
  peer_destroy(peer);
  if (member->ring->count + 1 < COUNT_OF(member->ring->members))
    (void)open_member(member->ring, &offer);
}

static void open_another_and_close(Member *member) {
  open_another(member);
  rtc_connection_close(member->connection);
}

static void close_the_tcp_conn(Member *member) {
  RtcTcpConn *tcp = rtc_connection_tcp_conn(member->connection);
  if (tcp)
    rtc_tcp_conn_close(tcp);
}

/* Whatever a host does in whichever state's callback, to whichever session. */
static void hosts_act_in_every_state(void **state) {
  Host *host = ((Broadcast *)*state)->host;
  static const RtcConnectionState states[] = {
      RTC_CONNECTION_STATE_CONNECTING, RTC_CONNECTION_STATE_CONNECTED,
      RTC_CONNECTION_STATE_DISCONNECTED, RTC_CONNECTION_STATE_CLOSED};
  static void (*const acts[])(Member *) = {
      close_everybody, give_own_handle_back,   give_handle_back_and_close,
      open_another,    open_another_and_close, close_the_tcp_conn};
  for (size_t s = 0; s < COUNT_OF(states); s++) {
    for (size_t a = 0; a < COUNT_OF(acts); a++) {
      if (states[s] == CLOSED && acts[a] == give_handle_back_and_close)
        continue; /* nobody's handle is left then */
      Ring ring = {.host = host, .server = host->server, .at = states[s], .act = acts[a]};
      RtcPeer *peers[3];
      for (size_t i = 0; i < COUNT_OF(peers); i++)
        peers[i] = join_ring(&ring);
      for (size_t i = 0; i < COUNT_OF(peers); i++)
        (void)peer_send_request(peers[i], 0, PEER_USE_CANDIDATE);
      for (size_t i = 0; i < COUNT_OF(peers); i++)
        if (peer_await_response(peers[i], 0, PEER_TIMEOUT_MS) == PEER_OK)
          (void)peer_handshake(peers[i], 200);
      for (size_t i = 0; i < COUNT_OF(peers); i++)
        peer_destroy(peers[i]);
      usleep(10 * 1000);
      host_run(host, give_back_all, &ring);
      host_await_idle(host);
      assert_silent_after_closed(&ring);
    }
  }
}

/* -- The server -- */

typedef struct Inn {
  Ring ring; /* of a second server on the host's worker */
  RtcServer *server;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool closed;
} Inn;

static void inn_closed(void *arg) {
  Inn *inn = arg;
  pthread_mutex_lock(&inn->lock);
  inn->closed = true;
  pthread_cond_broadcast(&inn->changed);
  pthread_mutex_unlock(&inn->lock);
}

static void close_the_inn(int fd, const struct sockaddr *peer, socklen_t peer_len, void *arg) {
  Inn *inn = arg;
  (void)peer;
  (void)peer_len;
  close(fd);
  rtc_server_close(inn->server, inn_closed, inn);
  close_everybody(&inn->ring.members[0]);
  open_another(&inn->ring.members[0]);
  assert_int_equal(inn->ring.error, RTC_OK); /* the close comes with a later turn */
}

static void open_inn(Inn *inn, Host *host) {
  const char *listen = "127.0.0.1:0";
  RtcServerConfig config;
  rtc_server_config_init(&config);
  config.workers = &host->worker;
  config.worker_count = 1;
  config.listen = &listen;
  config.listen_count = 1;
  config.on_foreign_socket = close_the_inn;
  config.arg = inn;
  pthread_mutex_init(&inn->lock, NULL);
  pthread_cond_init(&inn->changed, NULL);
  assert_int_equal(rtc_server_new(&inn->server, &config, NULL), RTC_OK);
  inn->ring = (Ring){.host = host, .server = inn->server, .at = CLOSED, .act = open_another};
}

static void await_inn_closed(Inn *inn) {
  pthread_mutex_lock(&inn->lock);
  while (!inn->closed)
    pthread_cond_wait(&inn->changed, &inn->lock);
  pthread_mutex_unlock(&inn->lock);
  rtc_server_destroy(inn->server);
  pthread_cond_destroy(&inn->changed);
  pthread_mutex_destroy(&inn->lock);
  assert_silent_after_closed(&inn->ring);
}

/* The server is closed, its sessions too and new ones opened, from inside on_foreign_socket; none
 * can be opened any more from the callbacks of the close itself. */
static void server_is_closed_inside_a_foreign_sockets_callback(void **state) {
  Host *host = ((Broadcast *)*state)->host;
  Inn inn = {0};
  RtcPeer *peers[3];
  open_inn(&inn, host);
  for (size_t i = 0; i < COUNT_OF(peers); i++)
    peers[i] = join_ring(&inn.ring);
  for (size_t i = 1; i < COUNT_OF(peers); i++)
    assert_int_equal(peer_bind(peers[i], 0, PEER_USE_CANDIDATE), PEER_OK);
  assert_int_equal(peer_send_raw(peers[0], 0, "GET / HTTP/1.1\r\n\r\n", 18), PEER_OK);
  for (size_t i = 0; i < COUNT_OF(peers); i++)
    peer_wait_closed(peers[i], 0, PEER_TIMEOUT_MS);
  host_run(host, give_back_all, &inn.ring);
  await_inn_closed(&inn);
  for (size_t i = 0; i < COUNT_OF(peers); i++)
    peer_destroy(peers[i]);
}

/* While the server closes, each session's CLOSED closes all others and tries to open another. */
static void sessions_close_each_other_while_the_server_closes(void **state) {
  Host *host = ((Broadcast *)*state)->host;
  static void (*const acts[])(Member *) = {close_everybody, open_another, give_own_handle_back};
  for (size_t a = 0; a < COUNT_OF(acts); a++) {
    Inn inn = {0};
    RtcPeer *peers[4];
    open_inn(&inn, host);
    inn.ring.act = acts[a];
    for (size_t i = 0; i < COUNT_OF(peers); i++) {
      peers[i] = join_ring(&inn.ring);
      assert_int_equal(peer_bind(peers[i], 0, PEER_USE_CANDIDATE), PEER_OK);
    }
    rtc_server_close(inn.server, inn_closed, &inn);
    for (size_t i = 0; i < COUNT_OF(peers); i++)
      peer_wait_closed(peers[i], 0, PEER_TIMEOUT_MS);
    host_run(host, give_back_all, &inn.ring);
    await_inn_closed(&inn);
    if (acts[a] == open_another)
      assert_int_equal(inn.ring.error, RTC_ERROR_CLOSED);
    for (size_t i = 0; i < COUNT_OF(peers); i++)
      peer_destroy(peers[i]);
  }
}

int main(void) {
#define CASE(function)                                                                             \
  cmocka_unit_test_setup_teardown(function, broadcast_setup, broadcast_teardown)
  const struct CMUnitTest tests[] = {
      CASE(closed_session_wants_no_keyframes),
      CASE(session_ends_itself_while_it_is_sent_to),
      CASE(session_ends_itself_between_a_send_and_a_read),
      cmocka_unit_test(writer_is_flushed_inside_its_own_flush),
      cmocka_unit_test(last_word_of_an_empty_fill_goes_out),
      CASE(source_survives_what_a_host_does_during_its_fan_out),
      CASE(hosts_act_in_every_state),
      CASE(server_is_closed_inside_a_foreign_sockets_callback),
      CASE(sessions_close_each_other_while_the_server_closes),
  };
  return cmocka_run_group_tests_name("reentrancy", tests, NULL, NULL);
}
