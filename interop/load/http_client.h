/* The HTTP side of WHIP and WHEP: requests of all workers, on one thread with libcurl's multi
 * interface. libcurl is included by its .c file only. */
#ifndef LOAD_HTTP_CLIENT_H
#define LOAD_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct HttpClient HttpClient;

typedef struct HttpAnswer {
  long status;          /* 0: there was none, and error says why */
  const char *error;    /* NULL: it was answered */
  const char *location; /* absolute; NULL: none */
  const char *body;     /* not NULL; ends in a NUL besides */
  size_t body_len;
} HttpAnswer;

typedef struct HttpRequest {
  const char *method, *url; /* copied */
  const char *body;         /* copied; SDP; NULL: none */
  size_t body_len;
  /* Once for each request that was taken, on the client's thread. All of answer is borrowed. */
  void (*on_answer)(void *arg, const HttpAnswer *answer);
  void *arg; /* borrowed until then */
} HttpRequest;

/* connections  to the server at once, kept for the next request
 * timeout_s    of a request
 * token        of Authorization: Bearer; borrowed; NULL: none
 * NULL: it could not be started */
HttpClient *http_client_start(size_t connections, double timeout_s, const char *token);

/* Queues a request. Any thread. false: there is no memory, and on_answer is not called. */
bool http_client_ask(HttpClient *client, const HttpRequest *request);

/* Waits for the answers of all requests, and ends the thread. NULL is fine. */
void http_client_stop(HttpClient *client);

#endif
