/* rtctcp-server: from the command line to the signal that ends it. */
#include "host.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_WRONG_ARGUMENT 2

#define SIGNAL_DRAINED SIGRTMIN /* our own, to the main thread */

/* Blocked before any thread is made, so that every thread leaves them to the main one. */
static void block_signals(sigset_t *signals) {
  sigemptyset(signals);
  sigaddset(signals, SIGNAL_DRAINED);
  sigaddset(signals, SIGINT);
  sigaddset(signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, signals, NULL);
  signal(SIGPIPE, SIG_IGN); /* a peer that has gone is an error of its socket */
}

/* One line for each listener, with the port that an option of 0 has become. */
static void tell_where(const Host *host) {
  for (size_t i = 0; i < host->options->listen_count; i++) {
    const char *address = host->options->listen[i];
    int len = (int)(strrchr(address, ':') - address);
    printf("rtctcp-server %s: http://%.*s:%u/\n", rtc_version(), len, address,
           rtc_server_port(host->server, i));
  }
  fflush(stdout);
}

static void wait_for_signal(const sigset_t *signals) {
  int signal_number;
  while (sigwait(signals, &signal_number) != 0)
    ;
}

static void on_drained(void *arg) {
  const pthread_t *main_thread = arg;
  pthread_kill(*main_thread, SIGNAL_DRAINED);
}

/* Until nobody is left, time is up, or a second signal comes. */
static void drain(Host *host, const sigset_t *signals) {
  static pthread_t main_thread; /* static: it outlives the call, as the callback may */
  main_thread = pthread_self();
  host_drain(host, on_drained, &main_thread);
  wait_for_signal(signals);
}

int main(int argc, char **argv) {
  static Host host; /* static: it outlives main when threads have to be left behind */
  sigset_t signals;
  Options options;
  switch (options_parse(&options, argc, argv)) {
  case OPTIONS_DONE:
    return EXIT_SUCCESS;
  case OPTIONS_WRONG:
    return EXIT_WRONG_ARGUMENT;
  case OPTIONS_RUN:
    break;
  }
  block_signals(&signals);
  RtcError error = host_start(&host, &options);
  if (error != RTC_OK)
    return error == RTC_ERROR_INVALID_ARGUMENT ? EXIT_WRONG_ARGUMENT : EXIT_FAILURE;
  tell_where(&host);
  wait_for_signal(&signals);
  if (options.drain_ms > 0)
    drain(&host, &signals);
  if (host_stop(&host) != RTC_OK) {
    fprintf(stderr, "rtctcp-server: a worker does not end; exiting without it\n");
    _exit(EXIT_FAILURE);
  }
  return EXIT_SUCCESS;
}
