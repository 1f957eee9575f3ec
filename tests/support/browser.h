/* SPDX-License-Identifier: LicenseRef-Gremio */
/* A person at a browser: headless Chromium driven over WebDriver (W3C Recommendation of 2018) by chromedriver, which lives as
 * long as the test. Elements are named by CSS selectors; whatever is asked of one that is not there fails the test. */
#ifndef GREMIO_TEST_BROWSER_H
#define GREMIO_TEST_BROWSER_H

#include "common/base.h"

struct browser;

struct browser_options {
    const char *language; /* "es-MX,es" (Accept-Language); NULL: Chromium's own */
    bool no_script;       /* JavaScript is off */
    bool dark;            /* prefers-color-scheme */
    int width, height;    /* of the window in CSS pixels; 0: 1280 x 800 */
};

struct browser *browser_open(const struct browser_options *options);
void browser_close(struct browser *b);

/* Returns when the page has loaded. */
void browser_go(struct browser *b, const char *url);
const char *browser_url(struct browser *b);
/* Clicks and waits for the page that follows. */
void browser_click(struct browser *b, const char *css);
/* Replaces what the field holds. */
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

#endif
