/* Compares If-Match with an entity tag, see precondition.h. */
#include "precondition.h"

#include <string.h>

static const char *skip_blanks(const char *at) {
  return at + strspn(at, " \t");
}

/* Reads one entity tag; after it comes the end of the list or a comma.
 * matches  out: it is this strong tag. Of a weak one never: If-Match compares strongly
 * NULL:    it is malformed */
static const char *read_tag(const char *at, const char *tag, bool *matches) {
  bool weak = strncmp(at, "W/", 2) == 0;
  at += weak ? 2 : 0;
  if (*at != '"')
    return NULL;
  size_t len = strcspn(at + 1, "\"");
  if (at[1 + len] != '"')
    return NULL;
  *matches = !weak && len == strlen(tag) && memcmp(at + 1, tag, len) == 0;
  at = skip_blanks(at + len + 2);
  return !*at || *at == ',' ? at : NULL;
}

/* RFC 9725 section 4.3.3 shows the star in quotes too; no tag of ours is one. */
bool precondition_is_any(const char *if_match) {
  const char *at = skip_blanks(if_match);
  size_t len = strncmp(at, "\"*\"", 3) == 0 ? 3 : 1;
  return (len == 3 || *at == '*') && !*skip_blanks(at + len);
}

bool precondition_holds(const char *if_match, const char *tag) {
  const char *at = skip_blanks(if_match);
  if (precondition_is_any(if_match))
    return true;
  bool found = false;
  while (*(at += strspn(at, ", \t"))) { /* empty elements are passed over (section 5.6.1) */
    bool matches;
    at = read_tag(at, tag, &matches);
    if (!at)
      return false;
    found = found || matches;
  }
  return found;
}
