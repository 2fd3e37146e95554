/* Says which file of page/ is served where, see pages.h. */
#include "pages.h"

#include <stddef.h>
#include <string.h>

#define HTML "text/html; charset=utf-8"
#define CSS  "text/css; charset=utf-8"
#define JS   "text/javascript; charset=utf-8"

/* A new file of page/ needs a line here, and nothing else: its path, type and symbol (embed.sh). */
#define PAGES(FILE)                                                                                \
  FILE("/", HTML, page_index_html)                                                                 \
  FILE("/page.css", CSS, page_page_css)                                                            \
  FILE("/page.js", JS, page_page_js)                                                               \
  FILE("/clock.js", JS, page_clock_js)                                                             \
  FILE("/drawn.js", JS, page_drawn_js)                                                             \
  FILE("/media.js", JS, page_media_js)                                                             \
  FILE("/name.js", JS, page_name_js)                                                               \
  FILE("/panel.js", JS, page_panel_js)                                                             \
  FILE("/play.js", JS, page_play_js)                                                               \
  FILE("/publish.js", JS, page_publish_js)                                                         \
  FILE("/restart.js", JS, page_restart_js)                                                         \
  FILE("/session.js", JS, page_session_js)                                                         \
  FILE("/stats.js", JS, page_stats_js)                                                             \
  FILE("/util.js", JS, page_util_js)

#define DECLARE(path, type, symbol)                                                                \
  extern const unsigned char symbol[];                                                             \
  extern const unsigned long symbol##_len;
PAGES(DECLARE)

#define ENTRY(path, type, symbol) {path, type, symbol, &symbol##_len},
static const Page pages[] = {PAGES(ENTRY)};

const Page *pages_find(const char *path) {
  for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
    if (strcmp(path, pages[i].path) == 0)
      return &pages[i];
  return NULL;
}
