/* Requests on one thread with libcurl's multi interface, see http_client.h. */
#include "http_client.h"

#include <curl/curl.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX ((size_t)256 * 1024) /* of an answer: more is none of SDP */
#define POLL_MS  1000

typedef struct Transfer {
  struct Transfer *next;      /* of the queue */
  CURL *easy;                 /* owned; NULL until its turn */
  struct curl_slist *headers; /* owned */
  char method[8];
  char *url;  /* owned */
  char *sent; /* owned; NULL: no body */
  size_t sent_len;
  char *body; /* owned: the answer's */
  size_t body_len;
  char *location; /* owned: as the server gave it; NULL: none */
  void (*on_answer)(void *arg, const HttpAnswer *answer);
  void *arg;
} Transfer;

struct HttpClient {
  CURLM *multi; /* owned */
  pthread_t thread;
  char *authorization; /* owned; NULL: none */
  size_t connections;
  long timeout_ms;
  size_t running;          /* the thread's: given to multi, and not answered */
  pthread_mutex_t lock;    /* of what follows */
  Transfer *first, **last; /* owned: asked, and not given to multi */
  bool stopping;
};

/* ---- One transfer ---------------------------------------------------------------------------- */

static void free_transfer(Transfer *transfer) {
  if (transfer->easy)
    curl_easy_cleanup(transfer->easy);
  curl_slist_free_all(transfer->headers);
  free(transfer->url);
  free(transfer->sent);
  free(transfer->body);
  free(transfer->location);
  free(transfer);
}

static Transfer *new_transfer(const HttpRequest *request) {
  Transfer *transfer = calloc(1, sizeof *transfer);
  if (!transfer)
    return NULL;
  snprintf(transfer->method, sizeof transfer->method, "%s", request->method);
  transfer->on_answer = request->on_answer;
  transfer->arg = request->arg;
  transfer->url = strdup(request->url);
  if (request->body) {
    transfer->sent = malloc(request->body_len + 1);
    if (transfer->sent)
      memcpy(transfer->sent, request->body, request->body_len);
    transfer->sent_len = request->body_len;
  }
  if (transfer->url && (transfer->sent || !request->body))
    return transfer;
  free_transfer(transfer);
  return NULL;
}

/* Fewer octets than were given end the transfer with an error. */
static size_t on_body(char *data, size_t size, size_t count, void *arg) {
  Transfer *transfer = arg;
  size_t len = size * count;
  if (len > BODY_MAX - transfer->body_len)
    return 0;
  char *grown = realloc(transfer->body, transfer->body_len + len + 1);
  if (!grown)
    return 0;
  memcpy(grown + transfer->body_len, data, len);
  transfer->body = grown;
  transfer->body_len += len;
  grown[transfer->body_len] = '\0';
  return len;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg) {
  static const char name[] = "location:";
  Transfer *transfer = arg;
  size_t len = size * count;
  const char *end = data + len;
  if (len < sizeof name || strncasecmp(data, name, sizeof name - 1) != 0)
    return len;
  const char *value = data + sizeof name - 1;
  while (value < end && (*value == ' ' || *value == '\t'))
    value++;
  while (end > value && (unsigned char)end[-1] <= ' ')
    end--;
  free(transfer->location);
  transfer->location = strndup(value, (size_t)(end - value));
  return len;
}

static bool add_header(Transfer *transfer, const char *line) {
  struct curl_slist *longer = curl_slist_append(transfer->headers, line);
  if (!longer)
    return false;
  transfer->headers = longer;
  return true;
}

static bool set_up(Transfer *transfer, const HttpClient *client) {
  transfer->easy = curl_easy_init();
  CURL *easy = transfer->easy;
  if (!easy || (client->authorization && !add_header(transfer, client->authorization)) ||
      (transfer->sent && !add_header(transfer, "Content-Type: application/sdp")) ||
      (transfer->sent && !add_header(transfer, "Expect:")))
    return false;
  curl_easy_setopt(easy, CURLOPT_URL, transfer->url);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->method);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); /* what is measured is the server */
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, client->timeout_ms);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  if (transfer->sent) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->sent);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)transfer->sent_len);
  }
  return true;
}

/* A Location is often relative (RFC 9110 section 10.2.2). The caller frees it with curl_free. */
static char *resolve(const char *base, const char *location) {
  char *absolute = NULL;
  CURLU *url = curl_url();
  if (url && curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
      curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK)
    curl_url_get(url, CURLUPART_URL, &absolute, 0);
  curl_url_cleanup(url);
  return absolute;
}

static void tell(Transfer *transfer, const char *error) {
  HttpAnswer answer = {.error = error, .body = "", .body_len = transfer->body_len};
  char *location = NULL;
  if (!error) {
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer.status);
    if (transfer->location)
      location = resolve(transfer->url, transfer->location);
  }
  answer.location = location;
  if (transfer->body)
    answer.body = transfer->body;
  transfer->on_answer(transfer->arg, &answer);
  curl_free(location);
  free_transfer(transfer);
}

/* ---- The thread ------------------------------------------------------------------------------ */

static Transfer *take_first(HttpClient *client, bool *goes_on) {
  pthread_mutex_lock(&client->lock);
  Transfer *transfer = client->running < client->connections ? client->first : NULL;
  if (transfer)
    client->first = transfer->next;
  if (!client->first)
    client->last = &client->first;
  *goes_on = transfer || client->first || client->running > 0 || !client->stopping;
  pthread_mutex_unlock(&client->lock);
  return transfer;
}

/* Takes of what was asked as much as there are connections for: what waits in libcurl would be
 * timed already. false: nothing more will be asked, and all is answered. */
static bool take_asked(HttpClient *client) {
  Transfer *transfer;
  bool goes_on;
  while ((transfer = take_first(client, &goes_on))) {
    if (!set_up(transfer, client) ||
        curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK)
      tell(transfer, "libcurl has no memory");
    else
      client->running++;
  }
  return goes_on;
}

/* Are there any? Then there is room for others. */
static bool tell_finished(HttpClient *client) {
  int left;
  bool any = false;
  const CURLMsg *message;
  while ((message = curl_multi_info_read(client->multi, &left))) {
    void *transfer = NULL;
    CURLcode result = message->data.result;
    CURL *easy = message->easy_handle;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    curl_multi_remove_handle(client->multi, easy); /* the message is gone with it */
    client->running--;
    tell(transfer, result == CURLE_OK ? NULL : curl_easy_strerror(result));
    any = true;
  }
  return any;
}

static void *run(void *arg) {
  HttpClient *client = arg;
  int running;
  while (take_asked(client)) {
    curl_multi_perform(client->multi, &running);
    if (!tell_finished(client))
      curl_multi_poll(client->multi, NULL, 0, POLL_MS, NULL);
  }
  return NULL;
}

/* ---- From other threads ---------------------------------------------------------------------- */

static void destroy(HttpClient *client) {
  curl_multi_cleanup(client->multi);
  pthread_mutex_destroy(&client->lock);
  free(client->authorization);
  free(client);
  curl_global_cleanup();
}

static bool prepare(HttpClient *client, const char *token) {
  if (token && asprintf(&client->authorization, "Authorization: Bearer %s", token) < 0) {
    client->authorization = NULL;
    return false;
  }
  client->multi = curl_multi_init();
  if (!client->multi)
    return false;
  long connections = (long)client->connections;
  curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
  curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, connections);
  return true;
}

HttpClient *http_client_start(size_t connections, double timeout_s, const char *token) {
  if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
    return NULL;
  HttpClient *client = calloc(1, sizeof *client);
  if (!client) {
    curl_global_cleanup();
    return NULL;
  }
  pthread_mutex_init(&client->lock, NULL);
  client->last = &client->first;
  client->connections = connections;
  client->timeout_ms = (long)(timeout_s * 1000);
  if (prepare(client, token) && pthread_create(&client->thread, NULL, run, client) == 0)
    return client;
  destroy(client);
  return NULL;
}

bool http_client_ask(HttpClient *client, const HttpRequest *request) {
  Transfer *transfer = new_transfer(request);
  if (!transfer)
    return false;
  pthread_mutex_lock(&client->lock);
  *client->last = transfer;
  client->last = &transfer->next;
  pthread_mutex_unlock(&client->lock);
  curl_multi_wakeup(client->multi);
  return true;
}

void http_client_stop(HttpClient *client) {
  if (!client)
    return;
  pthread_mutex_lock(&client->lock);
  client->stopping = true;
  pthread_mutex_unlock(&client->lock);
  curl_multi_wakeup(client->multi);
  pthread_join(client->thread, NULL);
  destroy(client);
}
