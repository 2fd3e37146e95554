/* Passes octets on between two sockets each, see relay.h. */
#include "relay.h"

#include <uv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPES_MAX   4                    /* conns at once: a player has one, and a lost one */
#define CHUNK_LEN   ((size_t)32 * 1024)  /* read at once */
#define BACKLOG_MAX ((size_t)256 * 1024) /* written and not sent: until then more is read */

typedef struct Pipe Pipe;

typedef struct End {
  uv_tcp_t tcp;
  Pipe *pipe; /* back */
  bool open;
} End;

struct Pipe {
  Relay *relay; /* back */
  End near, far;
  uv_connect_t connect;
  bool used, connected, closing;
  unsigned handles; /* that are not closed yet */
};

struct Relay {
  uv_tcp_t listener;
  struct sockaddr_storage far;
  Pipe pipes[PIPES_MAX];
  bool stalled, closing;
  unsigned handles; /* the listener's, and each used pipe's */
};

typedef struct Write {
  uv_write_t request;
  End *to; /* borrowed: stays until its writes were called back */
  char data[];
} Write;

/* ---- The end --------------------------------------------------------------------------------- */

static void release(Relay *relay) {
  if (--relay->handles == 0)
    free(relay);
}

static void on_listener_closed(uv_handle_t *handle) {
  release(handle->data);
}

static void on_end_closed(uv_handle_t *handle) {
  Pipe *pipe = ((End *)handle->data)->pipe;
  if (--pipe->handles > 0)
    return;
  pipe->used = false;
  release(pipe->relay);
}

static void close_pipe(Pipe *pipe) {
  if (!pipe->used || pipe->closing)
    return;
  pipe->closing = true;
  uv_close((uv_handle_t *)&pipe->near.tcp, on_end_closed);
  uv_close((uv_handle_t *)&pipe->far.tcp, on_end_closed);
}

void relay_close(Relay *relay) {
  if (!relay || relay->closing)
    return;
  relay->closing = true;
  for (size_t i = 0; i < PIPES_MAX; i++)
    close_pipe(&relay->pipes[i]);
  uv_close((uv_handle_t *)&relay->listener, on_listener_closed);
}

/* ---- Octets ---------------------------------------------------------------------------------- */

static End *other_end(End *end) {
  return end == &end->pipe->near ? &end->pipe->far : &end->pipe->near;
}

static void read_on(End *end);

static void on_written(uv_write_t *request, int status) {
  Write *write = (Write *)request;
  End *to = write->to;
  free(write);
  if (status < 0)
    close_pipe(to->pipe);
  else
    read_on(other_end(to));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)suggested;
  End *from = handle->data;
  Write *write = malloc(sizeof *write + CHUNK_LEN);
  *buffer = uv_buf_init(NULL, 0); /* what libuv takes as no memory */
  if (!write)
    return;
  write->to = other_end(from);
  *buffer = uv_buf_init(write->data, CHUNK_LEN);
}

static void pass_on(End *from, Write *write, size_t len) {
  uv_buf_t buffer = uv_buf_init(write->data, (unsigned)len);
  uv_stream_t *to = (uv_stream_t *)&write->to->tcp;
  if (uv_write(&write->request, to, &buffer, 1, on_written) != 0) {
    free(write);
    close_pipe(from->pipe);
    return;
  }
  if (uv_stream_get_write_queue_size(to) > BACKLOG_MAX)
    uv_read_stop((uv_stream_t *)&from->tcp);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer) {
  End *from = stream->data;
  Write *write = buffer->base ? (Write *)(buffer->base - offsetof(Write, data)) : NULL;
  if (got > 0) {
    pass_on(from, write, (size_t)got);
    return;
  }
  free(write);
  if (got < 0)
    close_pipe(from->pipe);
}

/* As far as it may: not while it is stalled, or the other side has a backlog. */
static void read_on(End *end) {
  const Pipe *pipe = end->pipe;
  bool stalled = pipe->relay->stalled && end == &pipe->far;
  const uv_stream_t *to = (const uv_stream_t *)&other_end(end)->tcp;
  if (pipe->closing || !pipe->connected || stalled ||
      uv_stream_get_write_queue_size(to) > BACKLOG_MAX)
    return;
  uv_read_start((uv_stream_t *)&end->tcp, on_alloc, on_read); /* fine when it reads already */
}

void relay_stall(Relay *relay, bool stalled) {
  relay->stalled = stalled;
  for (size_t i = 0; i < PIPES_MAX; i++) {
    Pipe *pipe = &relay->pipes[i];
    if (!pipe->used || pipe->closing)
      continue;
    if (stalled)
      uv_read_stop((uv_stream_t *)&pipe->far.tcp);
    else
      read_on(&pipe->far);
  }
}

/* ---- Conns ----------------------------------------------------------------------------------- */

static void on_connected(uv_connect_t *request, int status) {
  Pipe *pipe = request->data;
  if (status < 0) {
    close_pipe(pipe);
    return;
  }
  pipe->connected = true;
  read_on(&pipe->near);
  read_on(&pipe->far);
}

static Pipe *free_pipe(Relay *relay) {
  for (size_t i = 0; i < PIPES_MAX; i++)
    if (!relay->pipes[i].used)
      return &relay->pipes[i];
  return NULL;
}

static void open_end(Pipe *pipe, End *end) {
  end->pipe = pipe;
  uv_tcp_init(pipe->relay->listener.loop, &end->tcp);
  end->tcp.data = end;
}

static void on_connection(uv_stream_t *stream, int status) {
  Relay *relay = stream->data;
  Pipe *pipe = status < 0 ? NULL : free_pipe(relay);
  if (!pipe)
    return; /* it waits in the backlog for a pipe that is free */
  *pipe = (Pipe){.relay = relay, .used = true, .handles = 2};
  pipe->connect.data = pipe;
  relay->handles++;
  open_end(pipe, &pipe->near);
  open_end(pipe, &pipe->far);
  if (uv_accept(stream, (uv_stream_t *)&pipe->near.tcp) != 0 ||
      uv_tcp_connect(&pipe->connect, &pipe->far.tcp, (const struct sockaddr *)&relay->far,
                     on_connected) != 0) {
    close_pipe(pipe);
    return;
  }
  uv_tcp_nodelay(&pipe->near.tcp, 1);
  uv_tcp_nodelay(&pipe->far.tcp, 1);
}

static bool far_address(Relay *relay, const RtcCandidate *far) {
  return uv_ip4_addr(far->address, far->port, (struct sockaddr_in *)&relay->far) == 0 ||
         uv_ip6_addr(far->address, far->port, (struct sockaddr_in6 *)&relay->far) == 0;
}

static bool listen_near(Relay *relay, RtcCandidate *near) {
  struct sockaddr_in address;
  int len = sizeof address;
  uv_ip4_addr("127.0.0.1", 0, &address);
  if (uv_tcp_bind(&relay->listener, (const struct sockaddr *)&address, 0) != 0 ||
      uv_listen((uv_stream_t *)&relay->listener, PIPES_MAX, on_connection) != 0 ||
      uv_tcp_getsockname(&relay->listener, (struct sockaddr *)&address, &len) != 0)
    return false;
  snprintf(near->address, sizeof near->address, "127.0.0.1");
  near->port = ntohs(address.sin_port);
  return true;
}

Relay *relay_new(struct uv_loop_s *loop, const RtcCandidate *far, RtcCandidate *near) {
  Relay *relay = calloc(1, sizeof *relay);
  if (!relay)
    return NULL;
  RtcCandidate candidate = *far;
  uv_tcp_init(loop, &relay->listener);
  relay->listener.data = relay;
  relay->handles = 1;
  if (!far_address(relay, far) || !listen_near(relay, &candidate)) {
    relay_close(relay);
    return NULL;
  }
  *near = candidate;
  return relay;
}
