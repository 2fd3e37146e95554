/* If-Match: is a request meant for the resource as it is now?
 * Source: RFC 9110 sections 8.8.3 and 13.1.1. Any thread. */
#ifndef SERVER_PRECONDITION_H
#define SERVER_PRECONDITION_H

#include <stdbool.h>

/* if_match  the field's value: "*", or entity tags in a list
 * tag       the resource's, strong, without its quotes */
bool precondition_holds(const char *if_match, const char *tag);

/* Is it "*": whatever the resource is now? */
bool precondition_is_any(const char *if_match);

#endif
