/* The files of page/, as the build embeds them. */
#ifndef SERVER_PAGES_H
#define SERVER_PAGES_H

extern const unsigned char page_index_html[];
extern const unsigned long page_index_html_len;
extern const unsigned char page_page_css[];
extern const unsigned long page_page_css_len;
extern const unsigned char page_page_js[];
extern const unsigned long page_page_js_len;

#endif
