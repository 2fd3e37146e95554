/* SDP of browsers, to test with. */
#ifndef RTC_TEST_BROWSER_OFFERS_H
#define RTC_TEST_BROWSER_OFFERS_H

/* Chrome: one ufrag for all sections, IPv6 and .local candidates, UDP and active TCP. */
extern const char chrome_offer[];
/* Firefox: the fingerprint is the session's; each section has an own ufrag until the answer bundles
 * them. */
extern const char firefox_offer[];

#endif
