/* Draws what is to become of a session. */
#include "soak/plan.h"
#include "soak/random.h"

static const struct {
  const char *text;
  unsigned weight;
  unsigned reasons;
} endings[] = {
#define ENDING(name, text, weight, reasons) {text, weight, reasons},
    SOAK_ENDING_MAP(ENDING)
#undef ENDING
};

const char *soak_ending_text(SoakEnding ending) {
  return endings[ending].text;
}

unsigned soak_ending_reasons(SoakEnding ending) {
  return endings[ending].reasons;
}

const char *soak_event_text(SoakEvent event) {
  static const char *const texts[] = {
#define EVENT(name, text) text,
      SOAK_EVENT_MAP(EVENT)
#undef EVENT
  };
  return texts[event];
}

static SoakEnding draw_ending(SoakRandom *random) {
  unsigned sum = 0;
  for (int i = 0; i < SOAK_ENDING_COUNT; i++)
    sum += endings[i].weight;
  unsigned left = soak_random_below(random, sum);
  int ending = 0;
  while (left >= endings[ending].weight)
    left -= endings[ending++].weight;
  return (SoakEnding)ending;
}

static SoakRole draw_role(SoakRandom *random) {
  unsigned percent = soak_random_below(random, 100);
  if (percent < 55)
    return SOAK_ROLE_ECHO;
  return percent < 70 ? SOAK_ROLE_PUBLISHER : SOAK_ROLE_PLAYER;
}

SoakPlan soak_plan_draw(uint64_t seed, uint64_t ticket) {
  SoakRandom random = {seed * UINT64_C(0x100000001b3) ^ ticket};
  SoakPlan plan = {.ticket = ticket};
  plan.ending = draw_ending(&random);
  plan.role = draw_role(&random);
  if (plan.ending == SOAK_ENDING_HOST_IN_CALLBACK) {
    plan.role = SOAK_ROLE_ECHO; /* so that RTP and RTCP are sent */
    plan.moment = (SoakMoment)(1 + soak_random_below(&random, SOAK_MOMENT_COUNT - 1));
  }
  plan.closes_tcp = soak_random_percent(&random, 50);
  plan.fills_queue = plan.role == SOAK_ROLE_ECHO && !plan.moment && soak_random_percent(&random, 8);
  plan.keeps_handle = soak_random_percent(&random, 50);
  plan.keeps_tcp = soak_random_percent(&random, 20);
  plan.choice = (uint32_t)soak_random(&random);
  return plan;
}
