/* What a resource is before and without a manager. */
#include "ownership/resource.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

typedef struct Thing {
  RtcResource resource;
  char *destroyed_as; /* borrowed: described when it is destroyed */
} Thing;

enum { DESCRIPTION_CAP = 64 };

static void destroy(RtcResource *resource) {
  Thing *thing = (Thing *)resource;
  if (thing->destroyed_as)
    rtc_resource_describe(resource, thing->destroyed_as, DESCRIPTION_CAP);
  free(thing);
}

static const RtcResourceType thing_type = {.name = "thing", .destroy = destroy};

static RtcResource *new_thing(char *destroyed_as) {
  Thing *thing = calloc(1, sizeof(*thing));
  assert_non_null(thing);
  rtc_resource_init(&thing->resource, &thing_type);
  thing->destroyed_as = destroyed_as;
  return &thing->resource;
}

/* A fresh resource is nobody's: one handle, no id, no name. */
static void a_fresh_resource_is_unmanaged(void **state) {
  (void)state;
  RtcResource *thing = new_thing(NULL);
  assert_int_equal(rtc_resource_state(thing), RTC_RESOURCE_STATE_UNMANAGED);
  assert_int_equal(rtc_resource_id(thing), 0);
  assert_string_equal(rtc_resource_name(thing), "");
  assert_int_equal(thing->shared.handles, 1);
  rtc_resource_unref(&thing);
}

/* Memory that was used before does not shine through. */
static void init_sets_every_field(void **state) {
  (void)state;
  Thing *thing = malloc(sizeof(*thing));
  assert_non_null(thing);
  memset(thing, 0xa5, sizeof(*thing));
  rtc_resource_init(&thing->resource, &thing_type);
  thing->destroyed_as = NULL;
  RtcResource *resource = &thing->resource;
  assert_null(resource->manager);
  assert_null(resource->index);
  assert_null(resource->next_disposal);
  assert_string_equal(rtc_resource_name(resource), "");
  rtc_resource_unref(&resource);
}

/* One that was never managed is destroyed by its last handle, without a disposal. */
static void the_last_handle_of_an_unmanaged_resource_destroys_it(void **state) {
  (void)state;
  char destroyed_as[DESCRIPTION_CAP] = "";
  RtcResource *thing = new_thing(destroyed_as);
  RtcResource *other = rtc_resource_ref(thing);
  rtc_resource_unref(&thing);
  assert_string_equal(destroyed_as, "");
  rtc_resource_unref(&other);
  assert_string_equal(destroyed_as, "thing");
}

/* The type's destroy can still say who it is: the name goes after it. */
static void the_name_lives_until_destroy_returns(void **state) {
  (void)state;
  char destroyed_as[DESCRIPTION_CAP] = "";
  RtcResource *thing = new_thing(destroyed_as);
  thing->id = 17;
  thing->name = strdup("whip/live");
  rtc_resource_unref(&thing);
  assert_string_equal(destroyed_as, "thing 17 (whip/live)");
}

/* What is not there is left out of the description, and a short buffer cuts it. */
static void descriptions_say_what_there_is(void **state) {
  (void)state;
  static const struct {
    uint64_t id;
    const char *name;
    size_t cap;
    const char *text;
  } table[] = {
      {0, NULL, DESCRIPTION_CAP, "thing"},
      {17, NULL, DESCRIPTION_CAP, "thing 17"},
      {17, "whip/live", DESCRIPTION_CAP, "thing 17 (whip/live)"},
      {UINT64_MAX, "a", DESCRIPTION_CAP, "thing 18446744073709551615 (a)"},
      {17, "whip/live", 10, "thing 17 "},
      {17, "whip/live", 1, ""},
  };
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    RtcResource *thing = new_thing(NULL);
    char text[DESCRIPTION_CAP] = "untouched";
    thing->id = table[i].id;
    thing->name = table[i].name ? strdup(table[i].name) : NULL;
    rtc_resource_describe(thing, text, table[i].cap);
    assert_string_equal(text, table[i].text);
    rtc_resource_unref(&thing);
  }
}

/* A log never shows a number for a state. */
static void every_state_has_a_name(void **state) {
  (void)state;
#define EXPECT_NAME(name, text)                                                                    \
  assert_string_equal(rtc_resource_state_name(RTC_RESOURCE_STATE_##name), text);
  RTC_RESOURCE_STATE_MAP(EXPECT_NAME)
#undef EXPECT_NAME
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_fresh_resource_is_unmanaged),
      cmocka_unit_test(init_sets_every_field),
      cmocka_unit_test(the_last_handle_of_an_unmanaged_resource_destroys_it),
      cmocka_unit_test(the_name_lives_until_destroy_returns),
      cmocka_unit_test(descriptions_say_what_there_is),
      cmocka_unit_test(every_state_has_a_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
