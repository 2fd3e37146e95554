/* The subscribers of a resource manager, and what they may do from inside their callbacks. */
#include "support/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

typedef struct Listener {
  RtcResourceSubscriber subscriber;
  Stage *stage;
  const char *name;
  bool at_disposing; /* acts there, else in before_dispose */
  void (*act)(struct Listener *listener, RtcResource *resource); /* once */
  struct Listener *other;
  Thing *thing;
} Listener;

static void listen_to(Listener *listener, RtcResource *resource, const char *event,
                      bool disposing) {
  stage_write(listener->stage, "%s-%s:%d", listener->name, event, (int)rtc_resource_id(resource));
  void (*act)(Listener *, RtcResource *) = listener->act;
  if (!act || listener->at_disposing != disposing)
    return;
  listener->act = NULL;
  act(listener, resource);
}

static void on_before(RtcResourceSubscriber *subscriber, RtcResource *resource) {
  listen_to((Listener *)subscriber, resource, "before", false);
}

static void on_disposing(RtcResourceSubscriber *subscriber, RtcResource *resource) {
  listen_to((Listener *)subscriber, resource, "disposing", true);
}

static Listener new_listener(Stage *stage, const char *name) {
  return (Listener){.subscriber = {.before_dispose = on_before, .disposing = on_disposing},
                    .stage = stage,
                    .name = name};
}

static void subscribe(Listener *listener) {
  assert_int_equal(rtc_resource_manager_subscribe(listener->stage->manager, &listener->subscriber),
                   RTC_OK);
}

static void unsubscribe(Listener *listener) {
  rtc_resource_manager_unsubscribe(listener->stage->manager, &listener->subscriber);
}

/* The stage's own recorder would double every word here. */
static void subscribe_three(Stage *stage, Listener *a, Listener *b, Listener *c) {
  rtc_resource_manager_unsubscribe(stage->manager, &stage->recorder);
  *a = new_listener(stage, "a");
  *b = new_listener(stage, "b");
  *c = new_listener(stage, "c");
  subscribe(a);
  subscribe(b);
  subscribe(c);
}

static void remove_one(Stage *stage, uint64_t id) {
  Thing *thing = stage_thing(stage, id, NULL);
  stage_remove(stage, &thing);
  stage_settle(stage);
}

/* Each is told of both events, the latest first; of one it does not ask for, not. */
static void subscribers_are_told_until_they_unsubscribe(Stage *stage) {
  Listener a, b, c;
  subscribe_three(stage, &a, &b, &c);
  a.subscriber.before_dispose = NULL;
  b.subscriber.disposing = NULL;
  remove_one(stage, 1);
  stage_expect(stage, "c-before:1 b-before:1 c-disposing:1 a-disposing:1 dispose:1 destroy:1");
  unsubscribe(&c);
  unsubscribe(&a);
  unsubscribe(&a); /* twice is fine */
  remove_one(stage, 2);
  stage_expect(stage, "b-before:2 dispose:2 destroy:2");
}

/* Nobody is told twice. */
static void subscribing_twice_is_refused(Stage *stage) {
  assert_int_equal(rtc_resource_manager_subscribe(stage->manager, &stage->recorder),
                   RTC_ERROR_EXISTS);
  remove_one(stage, 1);
  stage_expect(stage, "before:1 disposing:1 dispose:1 destroy:1");
}

static void unsubscribe_self(Listener *listener, RtcResource *resource) {
  (void)resource;
  unsubscribe(listener);
}

static void unsubscribe_other(Listener *listener, RtcResource *resource) {
  (void)resource;
  unsubscribe(listener->other);
}

static void unsubscribe_all(Listener *listener, RtcResource *resource) {
  (void)resource;
  for (Listener *each = listener; each; each = each->other)
    unsubscribe(each);
}

static void subscribe_other(Listener *listener, RtcResource *resource) {
  (void)resource;
  subscribe(listener->other);
}

static void replace_other(Listener *listener, RtcResource *resource) {
  unsubscribe_other(listener, resource);
  subscribe_other(listener, resource);
}

/* Every way to change the list of subscribers from inside a callback, in both callbacks. The order
 * is c, b, a; b acts unless said otherwise. */
static void subscribers_change_their_list_from_callbacks(Stage *stage) {
  Listener a, b, c;
  Listener *const listeners[] = {&a, &b, &c};
  static const struct {
    void (*act)(Listener *, RtcResource *);
    int actor, other;
    const char *told, *told_next;
  } table[] = {
      {unsubscribe_self, 1, 0, "c b a", "c a"},  {unsubscribe_self, 2, 0, "c b a", "b a"},
      {unsubscribe_self, 0, 1, "c b a", "c b"},  {unsubscribe_other, 1, 0, "c b", "c b"},
      {unsubscribe_other, 1, 2, "c b a", "b a"}, {unsubscribe_other, 2, 1, "c a", "c a"},
      {unsubscribe_all, 2, 1, "c a", "a"},       {replace_other, 1, 0, "c b", "a c b"},
      {replace_other, 1, 2, "c b a", "c b a"},
  };
  for (size_t i = 0; i < 2 * sizeof(table) / sizeof(table[0]); i++) {
    bool at_disposing = i % 2;
    subscribe_three(stage, &a, &b, &c);
    for (size_t l = 0; l < 3; l++) {
      if (at_disposing)
        listeners[l]->subscriber.before_dispose = NULL;
      else
        listeners[l]->subscriber.disposing = NULL;
    }
    Listener *actor = listeners[table[i / 2].actor];
    actor->act = table[i / 2].act;
    actor->at_disposing = at_disposing;
    actor->other = listeners[table[i / 2].other];
    for (int round = 0; round < 2; round++) {
      remove_one(stage, 1);
      char told[64] = "", word[4];
      for (const char *at = stage->record; (at = strchr(at, '-')); at++) {
        snprintf(word, sizeof(word), "%s%c", *told ? " " : "", at[-1]);
        strcat(told, word);
      }
      stage->record[0] = '\0';
      assert_string_equal(told, round ? table[i / 2].told_next : table[i / 2].told);
    }
    unsubscribe(&a);
    unsubscribe(&b);
    unsubscribe(&c);
  }
}

/* One that subscribes during an event hears of the next one, even of one inside this one. */
static void subscribe_and_remove(Listener *listener, RtcResource *resource) {
  subscribe_other(listener, resource);
  stage_remove(listener->stage, &listener->thing);
}

static void a_new_subscriber_is_told_from_the_next_event_on(Stage *stage) {
  Listener a, b, c;
  subscribe_three(stage, &a, &b, &c);
  unsubscribe(&c);
  b.other = &c;
  b.act = subscribe_and_remove;
  b.thing = stage_thing(stage, 2, NULL);
  remove_one(stage, 1);
  stage_expect(stage, "b-before:1 c-before:2 b-before:2 a-before:2 a-before:1 "
                      "c-disposing:1 b-disposing:1 a-disposing:1 dispose:1 destroy:1 "
                      "c-disposing:2 b-disposing:2 a-disposing:2 dispose:2 destroy:2");
  b.act = subscribe_and_remove;
  b.at_disposing = true;
  b.thing = stage_thing(stage, 4, NULL);
  unsubscribe(&c);
  remove_one(stage, 3);
  stage_expect(stage, "b-before:3 a-before:3 b-disposing:3 c-before:4 b-before:4 a-before:4 "
                      "a-disposing:3 dispose:3 destroy:3 "
                      "c-disposing:4 b-disposing:4 a-disposing:4 dispose:4 destroy:4");
}

static void remove_the_same(Listener *listener, RtcResource *resource) {
  RtcResource *handle = rtc_resource_ref(resource);
  rtc_resource_manager_remove(listener->stage->manager, &handle);
}

static void remove_a_thing(Listener *listener, RtcResource *resource) {
  (void)resource;
  stage_remove(listener->stage, &listener->thing);
}

static void unsubscribe_all_and_remove(Listener *listener, RtcResource *resource) {
  unsubscribe_all(listener, resource);
  remove_a_thing(listener, resource);
}

/* Removals from inside both callbacks: of the same resource, which only loses the handle, and of
 * another, which queues up behind. */
static void subscribers_remove_from_callbacks(Stage *stage) {
  static const struct {
    void (*act)(Listener *, RtcResource *);
    bool at_disposing;
    const char *record;
  } table[] = {
      {remove_the_same, false, "x-before:1 before:1 x-disposing:1 disposing:1 dispose:1 destroy:1"},
      {remove_the_same, true, "x-before:1 before:1 x-disposing:1 disposing:1 dispose:1 destroy:1"},
      {remove_a_thing, false,
       "x-before:1 x-before:2 before:2 before:1 x-disposing:1 disposing:1 dispose:1 destroy:1 "
       "x-disposing:2 disposing:2 dispose:2 destroy:2"},
      {remove_a_thing, true,
       "x-before:1 before:1 x-disposing:1 x-before:2 before:2 disposing:1 dispose:1 destroy:1 "
       "x-disposing:2 disposing:2 dispose:2 destroy:2"},
      {unsubscribe_all_and_remove, false,
       "x-before:1 before:2 before:1 disposing:1 dispose:1 destroy:1 disposing:2 dispose:2 "
       "destroy:2"},
      {unsubscribe_all_and_remove, true,
       "x-before:1 before:1 x-disposing:1 before:2 disposing:1 dispose:1 destroy:1 disposing:2 "
       "dispose:2 destroy:2"},
  };
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    Listener x = new_listener(stage, "x");
    x.act = table[i].act;
    x.at_disposing = table[i].at_disposing;
    x.thing = stage_thing(stage, 2, NULL);
    subscribe(&x);
    remove_one(stage, 1);
    stage_expect(stage, table[i].record);
    unsubscribe(&x);
    if (x.thing)
      stage_remove(stage, &x.thing);
    stage_settle(stage);
    stage->record[0] = '\0';
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      stage_test(subscribers_are_told_until_they_unsubscribe),
      stage_test(subscribing_twice_is_refused),
      stage_test(subscribers_change_their_list_from_callbacks),
      stage_test(a_new_subscriber_is_told_from_the_next_event_on),
      stage_test(subscribers_remove_from_callbacks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
