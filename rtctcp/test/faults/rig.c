/* The rig's lives, and what must be true after each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "faults/rig.h"
#include "faults/sweep.h"
#include "support/descriptors.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- On the worker's thread -- */

static void arm(void *arg) {
  faults_arm(arg);
}

static void disarm(void *arg) {
  *(FaultCount *)arg = faults_disarm();
}

typedef struct Figures {
  Rig *rig;
  RtcServerStats server;
  RtcWorkerStats worker;
  RtcSourceManagerStats sources;
} Figures;

static void read_figures(void *arg) {
  Figures *figures = arg;
  Rig *rig = figures->rig;
  rtc_server_stats(rig->host->server, rig->host->worker, &figures->server);
  rtc_worker_stats(rig->host->worker, &figures->worker);
  rtc_source_manager_stats(rig->sources, &figures->sources);
}

/* -- After a life -- */

static bool is_settled(Rig *rig, Figures *figures) {
  figures->rig = rig;
  host_run(rig->host, read_figures, figures);
  return figures->server.connections.live == 1 && figures->server.tcp_conns.live == 1 &&
         figures->server.unauthenticated == 0 && figures->sources.sources_live == 0 &&
         figures->sources.consumers_live == 0 &&
         (rig->coroutines_idle == 0 || figures->worker.coroutines_live == rig->coroutines_idle) &&
         (rig->descriptors_idle == 0 || descriptors_open() == rig->descriptors_idle);
}

/* Waits until the bystander alone is left. */
static void settle(Rig *rig, Figures *figures) {
  int64_t deadline_ms = now_ms() + HOST_DEADLINE_MS;
  while (!is_settled(rig, figures)) {
    const struct timespec pause = {.tv_nsec = 200000};
    if (now_ms() > deadline_ms)
      fail_msg("left: connections %llu, TCP conns %llu, strangers %llu, sources %llu, consumers "
               "%llu, coroutines %llu of %llu, descriptors %zu of %zu",
               (unsigned long long)figures->server.connections.live - 1,
               (unsigned long long)figures->server.tcp_conns.live - 1,
               (unsigned long long)figures->server.unauthenticated,
               (unsigned long long)figures->sources.sources_live,
               (unsigned long long)figures->sources.consumers_live,
               (unsigned long long)figures->worker.coroutines_live,
               (unsigned long long)rig->coroutines_idle, descriptors_open(), rig->descriptors_idle);
    nanosleep(&pause, NULL);
  }
}

static void assert_verdict(const Victim *victim, const RigVerdict *verdict) {
  for (size_t i = 0; i < victim->call_error_count; i++)
    if (!(verdict->errors & RIG_BIT(victim->call_errors[i])))
      fail_msg("%s fails: %s", victim->step, rtc_error_text(victim->call_errors[i]));
  if (victim->open_error)
    return;
  if (!((verdict->closes | RIG_BIT(RTC_CLOSE_HOST)) & RIG_BIT(victim->reason)))
    fail_msg("%s ends it: %s", victim->step, rtc_close_name(victim->reason));
}

static uint64_t counter_of(const Figures *figures, const RigVerdict *verdict) {
  uint64_t value = 0;
  if (verdict->counter)
    memcpy(&value, (const uint8_t *)&figures->server + verdict->counter, sizeof value);
  return value;
}

/* One life. returns how many calls there were, and failed. */
static FaultCount live_once(Rig *rig, const FaultPlan *plan, const RigVerdict *verdict) {
  FaultPlan armed = *plan;
  FaultCount count;
  Figures figures;
  settle(rig, &figures);
  uint64_t counted = counter_of(&figures, verdict);
  host_run(rig->host, arm, &armed);
  victim_live(&rig->victim, rig->host, rig->sources, plan->times == FAULT_FOR_EVER);
  victim_end(&rig->victim);
  /* Its end is still under way, and with it the faults: it is awaited first. */
  settle(rig, &figures);
  host_run(rig->host, disarm, &count);
  victim_assert_states(&rig->victim);
  assert_verdict(&rig->victim, verdict);
  if (verdict->counter)
    assert_int_equal(counter_of(&figures, verdict) - counted, count.hits);
  if (count.hits == 0 && !rig->victim.lived)
    fail_msg("%s fails without a fault", rig->victim.step);
  assert_int_equal(host_state(rig->bystander), RTC_CONNECTION_STATE_CONNECTED);
  host_assert_media_flows(rig->bystander);
  return count;
}

/* -- Sweeps -- */

typedef struct Subject {
  Rig *rig; /* borrowed; NULL: a fresh one for each life */
  const RigVerdict *verdict;
} Subject;

static FaultCount live_in_rig(const FaultPlan *plan, void *arg) {
  const Subject *subject = arg;
  return live_once(subject->rig, plan, subject->verdict);
}

static FaultCount live_in_fresh_rig(const FaultPlan *plan, void *arg) {
  const Subject *subject = arg;
  void *rig = NULL;
  assert_int_equal(rig_setup_fresh(&rig), 0);
  FaultCount count = live_once(rig, plan, subject->verdict);
  assert_int_equal(rig_teardown(&rig), 0);
  return count;
}

void rig_sweep(Rig *rig, const FaultPlan *plan, size_t stride, const RigVerdict *verdict) {
  Subject subject = {.rig = rig, .verdict = verdict};
  faults_sweep(&(Sweep){.plan = *plan,
                        .stride = stride,
                        .may_leak = verdict->may_leak,
                        .live = rig ? live_in_rig : live_in_fresh_rig,
                        .arg = &subject});
}

/* -- Setup -- */

/* What is cached and pooled comes to be in the first lives. */
static void warm_up(Rig *rig) {
  const FaultPlan none = {.first = 0};
  const RigVerdict verdict = {0};
  for (int life = 0; life < (faults_slowness() > 1 ? 1 : 8); life++) {
    live_once(rig, &none, &verdict);
    Figures figures;
    settle(rig, &figures);
    rig->coroutines_idle = figures.worker.coroutines_live;
    rig->descriptors_idle = descriptors_open();
  }
}

int rig_setup_fresh(void **state) {
  void *host = NULL;
  Rig *rig = calloc(1, sizeof *rig);
  if (!rig || host_setup(&host) != 0)
    return -1;
  rig->host = host;
  *state = rig;
  if (rtc_source_manager_new(&rig->sources, rig->host->worker) != RTC_OK)
    return -1;
  rig->bystander = host_open_connected(rig->host, NULL);
  host_assert_media_flows(rig->bystander);
  return 0;
}

int rig_setup(void **state) {
  int result = rig_setup_fresh(state);
  if (result == 0)
    warm_up(*state);
  return result;
}

int rig_teardown(void **state) {
  Rig *rig = *state;
  void *host = rig->host;
  int result = host_teardown(&host);
  rtc_source_manager_destroy(rig->sources);
  free(rig);
  *state = NULL;
  return result;
}
