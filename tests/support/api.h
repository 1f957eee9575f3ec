/* SPDX-License-Identifier: LicenseRef-Gremio */
/* One logged-in caller of the API: JSON in, JSON out, on one kept-alive connection. A failure of the transport shows
 * as status 0, so assertions stay about statuses. One struct api belongs to one thread. */
#ifndef GREMIO_TEST_API_H
#define GREMIO_TEST_API_H

#include <json-c/json.h>

#include "common/base.h"
#include "tests/support/http_client.h"

#define OWNER_A "owner-a@example.com"
#define OWNER_B "owner-b@example.com"

struct api {
    struct http_client http;
    char token[4200];  /* access token, empty: no Authorization field */
    char refresh[200]; /* refresh token */
    const char
        *headers; /* further field lines of every request, each ending in CR LF; NULL for none */
    const char *from; /* address it comes from ("127.0.0.9"); NULL: any */
};

/* An answer; lives until api_release is called by the thread that got it. */
struct answer {
    struct http_response http;
    int status;               /* 0: no answer came */
    struct json_object *json; /* NULL when the body is not JSON */
    struct answer *next;
};

/* Nobody: no token. */
struct api api_anonymous(void);
/* Logs in with the stack's password; the test fails when that is refused. */
struct api api_login(const char *email);
/* As api_login, but the answer is the caller's to judge: status in *status, tokens empty unless 200. */
struct api api_try_login(const char *email, const char *password, int *status);
void api_close(struct api *a);
/* Frees every answer of this thread. */
void api_release(void);

/* One request. body NULL: none, otherwise sent as application/json. headers: further field lines or NULL. A kept
 * connection that the peer has closed meanwhile is opened anew once for GET. */
struct answer *api_send(struct api *a, const char *method, const char *path, const char *body,
                        const char *headers);
struct answer *api_get(struct api *a, const char *path_fmt, ...) PRINTF_LIKE(2, 3);
struct answer *api_post(struct api *a, const char *path, const char *body_fmt, ...)
    PRINTF_LIKE(3, 4);
/* With If-Match: "version". */
struct answer *api_patch(struct api *a, const char *path, int version, const char *body_fmt, ...)
    PRINTF_LIKE(4, 5);
/* Text from a format, for paths and bodies; freed by api_release. */
char *api_text(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A value by dotted path ("client.name", "data.0.id"); NULL when absent. Text of strings, JSON of the rest. */
const char *answer_text(const struct answer *r, const char *path);
/* A number by path; -1 when absent or no integer. */
int64_t answer_int(const struct answer *r, const char *path);
/* Members of the array at path; -1 when it is none. */
int answer_count(const struct answer *r, const char *path);
/* The problem's code, "" when there is none. */
const char *answer_code(const struct answer *r);
/* True when errors[] names the pointer. */
bool answer_blames(const struct answer *r, const char *pointer);
const char *answer_header(const struct answer *r, const char *name);

/* Fresh objects with believable defaults; each returns the new id (text freed by api_release). The test fails when
 * the API refuses. */
const char *api_new_client(struct api *a, const char *given_name);
const char *api_new_service(struct api *a, const char *name, int minutes);
const char *api_new_staff(struct api *a, const char *name);
const char *api_new_invitation(struct api *a, const char *name);
/* A key for integrations with these permissions ("client.read"); its id. */
const char *api_new_key(struct api *a, const char *name, const char *permissions);
/* A role with these permissions ("client.read:own"); its code. */
const char *api_new_role(struct api *a, const char *name, const char *permissions);
/* A schedule with these spans ("\"monday 09:00-14:00\""). */
const char *api_new_schedule(struct api *a, const char *staff, const char *spans);
/* A whole day: closed, or open or special from 10:00 to 12:00; staff NULL: for everybody. */
const char *api_new_exception(struct api *a, const char *staff, const char *effect,
                              const char *day);
/* A room, a chair or a device. */
const char *api_new_asset(struct api *a, const char *kind, const char *name);
/* Takes the staff's time far away, some of it that nobody else takes. */
const char *api_new_block(struct api *a, const char *staff);
/* Waits for days beyond the horizon, so that nothing is offered. */
const char *api_new_wait(struct api *a, const char *client, const char *service, const char *staff);
/* Books without judging the answer. */
struct answer *api_book(struct api *a, const char *client, const char *service, const char *staff,
                        const char *starts_at);
/* The same whatever the hours are. */
struct answer *api_book_anyway(struct api *a, const char *client, const char *service,
                               const char *staff, const char *starts_at);
/* The day that is so many days ahead, "2026-07-01" (UTC). */
const char *api_day(int ahead);
/* A text no other call of this machine returns, for names; its last word alone is unique and no number. */
const char *api_unique(const char *prefix);

#endif
