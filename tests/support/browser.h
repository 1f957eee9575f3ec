/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A person at a browser: headless Chromium driven over WebDriver (W3C Recommendation of 2018) by chromedriver; both live
 * as long as the test, however that ends. Elements are named by CSS selectors; whatever is asked of one that is not there fails the test. */
#ifndef GREMIO_TEST_BROWSER_H
#define GREMIO_TEST_BROWSER_H

#include "common/base.h"

struct browser;

struct browser_options {
    const char *language; /* "es-MX,es" (Accept-Language); NULL: Chromium's own */
    bool no_script;       /* JavaScript is off */
    bool dark;            /* prefers-color-scheme */
    int width, height;    /* of the window in CSS pixels; 0: 1280 x 800. Below 500 it is a phone */
};

struct browser *browser_open(const struct browser_options *options);
void browser_close(struct browser *b);

/* Returns when the page has loaded. */
void browser_go(struct browser *b, const char *url);
const char *browser_url(struct browser *b);
/* Clicks on what leads to no other page. */
void browser_click(struct browser *b, const char *css);
/* Clicks on what leads to another page, and waits until that is there. */
void browser_follow(struct browser *b, const char *css);
/* Replaces what the field holds; a key may be in the text (BROWSER_ENTER). */
#define BROWSER_ENTER "\uE007"
void browser_fill(struct browser *b, const char *css, const char *text);
bool browser_has(struct browser *b, const char *css);
/* Text as a person sees it; freed by api_release. */
const char *browser_text(struct browser *b, const char *css);
const char *browser_attribute(struct browser *b, const char *css, const char *name);
/* The page as a PNG file. */
void browser_shot(struct browser *b, const char *file);
/* What axe-core (tests/browser) has against the page by the rules of WCAG 2.2 A and AA and its own best practice, one line each; ""
 * when there is nothing. Needs scripts. */
const char *browser_faults(struct browser *b);
/* What it is now ("value", "type"), as text. */
const char *browser_property(struct browser *b, const char *css, const char *name);
/* True when it is there and a person sees it. */
bool browser_shows(struct browser *b, const char *css);
/* True when there is a match now and the first one's text holds the part. */
bool browser_says(struct browser *b, const char *css, const char *part);
/* Waits until the text of the first match holds the part, and returns all of it; the test fails when that does not come. */
const char *browser_wait(struct browser *b, const char *css, const char *part);
/* What the script (a function's body) returns, as text. */
const char *browser_run(struct browser *b, const char *script);

#endif
