/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The work is done as any client would: one digest after another. */
#include "tests/support/stranger.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/db.h"

void stranger_policy(struct api *owner, const char *members)
{
    struct answer *r = api_get(owner, "/api/v1/booking-policy");
    r = api_patch(owner, "/api/v1/booking-policy", (int)answer_int(r, "version"), "{%s}", members);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
}

void stranger_let_in(struct api *owner, const char *members)
{
    stranger_policy(owner, api_text("\"public_booking\":true%s", members));
}

void stranger_show(struct api *owner, const char *service, const char *visibility)
{
    const char *path = api_text("/api/v1/services/%s", service);
    struct answer *r = api_get(owner, "%s", path);
    r = api_patch(owner, path, (int)answer_int(r, "version"), "{\"visibility\":\"%s\"}",
                  visibility);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
}

const char *stranger_email(void)
{
    return api_text("%s@example.com", strrchr(api_unique("x"), ' ') + 1);
}

const char *stranger_path(const char *slug, const char *rest)
{
    return api_text("/api/v1/public/%s%s", slug, rest);
}

static int zeros_of(const char *text)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    int n = 0;
    crypto_hash_sha256(digest, (const unsigned char *)text, strlen(text));
    while (n < 256 && !(digest[n / 8] >> (7 - n % 8) & 1)) {
        n++;
    }
    return n;
}

const char *stranger_work(struct api *a, const char *slug)
{
    struct answer *r = api_get(a, "%s", stranger_path(slug, "/challenge"));
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    const char *challenge = answer_text(r, "challenge");
    char text[200];
    int64_t bits = answer_int(r, "bits");
    for (unsigned i = 0;; i++) {
        snprintf(text, sizeof text, "%s%u", challenge, i);
        if (zeros_of(text) >= bits) {
            return api_text("\"challenge\":\"%s\",\"nonce\":\"%u\"", challenge, i);
        }
    }
}

const char *stranger_start(struct api *a, const char *slug, const char *service, int nth)
{
    struct answer *r = api_get(a, "%s/services/%s/slots", stranger_path(slug, ""), service);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    for (int day = 0; day < answer_count(r, "days"); day++) {
        int n = answer_count(r, api_text("days.%d.starts", day));
        if (nth < n) {
            return answer_text(r, api_text("days.%d.starts.%d", day, nth));
        }
        nth -= n;
    }
    cr_assert_fail("no start %d in %s", nth, r->http.body);
    return NULL;
}

struct answer *stranger_book(struct api *a, const char *slug, const char *members)
{
    return api_post(a, stranger_path(slug, "/book"), "{%s,%s}", members, stranger_work(a, slug));
}

/* ---- a practice for a test ---- */

#define RULES                                                                                   \
    "\"public_booking\":true,\"public_approval\":false,\"open_per_client\":0,\"notice_min\":0," \
    "\"horizon_days\":60,\"hold_min\":10,\"answer_min\":2880,\"cancel_cutoff_min\":0,"          \
    "\"reschedule_cutoff_min\":0"

struct lobby lobby_open(const char *members)
{
    struct lobby l = { .owner = api_login(OWNER_A), .stranger = api_anonymous(), .db = db_super() };
    char *code = db_code(l.db, "practice-a");
    db_do(l.db, api_text("SET search_path = t_%s, ext, public", code));
    free(code);
    db_do(l.db, "DELETE FROM public_count"); /* each test has a day of its own */
    db_do(l.db, "UPDATE client SET created_at = created_at - interval '2 days' WHERE source ="
                " 'public'");
    stranger_policy(&l.owner, RULES);
    if (members[0]) {
        stranger_policy(&l.owner, members);
    }
    l.service = api_new_service(&l.owner, api_unique("Limpieza"), 30);
    stranger_show(&l.owner, l.service, "public");
    l.staff = api_new_staff(&l.owner, api_unique("Beto"));
    struct answer *r = api_send(&l.owner, "PUT", api_text("/api/v1/services/%s/staff", l.service),
                                api_text("{\"staff\":[\"%s\"]}", l.staff), NULL);
    cr_assert_eq(r->status, 200, "%s", r->http.body);
    return l;
}

void lobby_close(struct lobby *l)
{
    stranger_policy(&l->owner, "\"public_booking\":false");
    db_do(l->db, "DELETE FROM allocation WHERE kind = 'hold'");
    PQfinish(l->db);
    api_close(&l->owner);
    api_close(&l->stranger);
    api_release();
}

const char *lobby_start(struct lobby *l, int nth)
{
    return stranger_start(&l->stranger, "practice-a", l->service, nth);
}

struct answer *lobby_book(struct lobby *l, const char *start, const char *email,
                          const char *members)
{
    return stranger_book(&l->stranger, "practice-a",
                         api_text("\"service_id\":\"%s\",\"starts_at\":\"%s\",\"given_name\":"
                                  "\"Ana\",\"family_name\":\"Extraña\",\"email\":\"%s\"%s",
                                  l->service, start, email, members));
}

struct answer *lobby_hold(struct lobby *l, const char *start)
{
    return api_post(&l->stranger, stranger_path("practice-a", "/holds"),
                    "{\"service_id\":\"%s\",\"starts_at\":\"%s\",%s}", l->service, start,
                    stranger_work(&l->stranger, "practice-a"));
}
