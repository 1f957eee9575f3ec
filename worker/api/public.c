/* SPDX-License-Identifier: LicenseRef-Gremio */
/* The door, the work that is asked for, and finding a place. Why a time is not to be had is not said: a stranger who could tell "closed" from "taken" would
 * know how busy the practice is. */
#include "worker/api/public.h"

#include <sodium.h>

#include "common/clock.h"
#include "common/str.h"
#include "worker/slot_env.h"
#include "worker/work_proof.h"

const struct stmt public_door = {
    "door",
    "SELECT 1 FROM booking_policy WHERE (rules->'public_booking')::boolean",
};

const struct stmt public_service = {
    "service",
    "SELECT s.id, s.intake AS questions FROM service s WHERE s.id = :w_service"
    " AND s.archived_at IS NULL AND s.visibility IN ('public', 'link')",
};

/* Kept for longer than a challenge lives, whatever the workers' clocks show. */
const struct stmt public_spend = {
    "spend",
    "WITH old AS (DELETE FROM used_proof WHERE digest IN (SELECT digest FROM used_proof"
    " WHERE expires_at <= now() LIMIT 100 FOR UPDATE SKIP LOCKED))"
    " INSERT INTO used_proof(digest, expires_at) VALUES (:proof::bytea,"
    " now() + interval '10 minutes') ON CONFLICT DO NOTHING RETURNING expires_at",
};

enum err public_enter(struct call *c)
{
    PGresult *rows;
    TRY(call_query(c, &public_door, &rows));
    return PQntuples(rows) ? OK : call_refuse(c, E_NOT_FOUND, NULL, NULL);
}

/* ---- proof of work ---- */

static enum err judge_proof(struct call *c, struct slice challenge, struct slice nonce)
{
    switch (work_proof_check(c->env->secrets->proof_key, &c->req->tenant.id, challenge, nonce,
                             clock_wall_s())) {
    case WORK_PROOF_GOOD:
        return OK;
    case WORK_PROOF_FOREIGN:
        return call_refuse_field(c, "/challenge", "not_found", "No es un reto de esta práctica",
                                 "It is no challenge of this practice");
    case WORK_PROOF_STALE:
        return call_refuse_field(c, "/challenge", "stale", "El reto venció; pida otro",
                                 "The challenge is too old; ask for another");
    case WORK_PROOF_WRONG:
        break;
    }
    return call_refuse_field(c, "/nonce", "wrong", "No resuelve el reto",
                             "It does not solve the challenge");
}

enum err public_prove(struct call *c)
{
    const struct value *challenge = call_get(c, "challenge"), *nonce = call_get(c, "nonce");
    PGresult *rows;
    if (c->env->settings->proof_bits == 0) {
        return OK;
    }
    if (!challenge->text || !nonce->text) {
        return call_refuse_field(c, challenge->text ? "/nonce" : "/challenge", "required",
                                 "Falta la prueba de trabajo", "The proof of work is missing");
    }
    TRY(judge_proof(c, slice_of(challenge->text), slice_of(nonce->text)));
    call_set_digest(c, "proof", slice_of(challenge->text));
    TRY(call_query(c, &public_spend, &rows));
    return PQntuples(rows)
               ? OK
               : call_refuse_field(c, "/challenge", "used", "El reto ya se usó; pida otro",
                                   "The challenge was used before; ask for another");
}

/* ---- a place ---- */

static enum err taken(struct call *c)
{
    return call_refuse(c, E_SLOT_TAKEN, NULL, NULL);
}

/* Sets :instant. Names nothing that would be locked. */
static enum err find_instant(struct call *c, const char *time)
{
    call_set(c, "to_client", NULL);
    call_set(c, "to_service", NULL);
    call_set(c, "to_staff", NULL);
    TRY(appointment_ask_time(c, time));
    return appointment_check_place(c, (struct appointment_ask){ .time = true });
}

/* Somebody of those who can then, nobody before the others: strangers who come at once do not all ask for one person. NULL: nobody. */
static const struct openings_person *choose(struct openings *o, int64_t us)
{
    size_t n = o->person_count;
    size_t first = n ? randombytes_uniform((uint32_t)n) : 0;
    for (size_t i = 0; us % 1000000 == 0 && i < n; i++) {
        const struct openings_person *p = &o->people[(first + i) % n];
        if (openings_judge_any(o, p, us / 1000000) == 0) {
            return p;
        }
    }
    return NULL;
}

static enum err load(struct call *c, struct openings *o, const char *service, const char *staff)
{
    call_set(c, "w_service", service);
    call_set(c, "w_staff", staff);
    call_set(c, "w_at", call_get(c, "instant")->text);
    call_set_int(c, "w_step", PUBLIC_GRID);
    return openings_load(c, o);
}

/* Who was free without the locks may not be any more with them: then the request begins anew, as somebody else may be. */
static enum err take_person(struct call *c, struct openings *o, int64_t us, bool wanted)
{
    const struct openings_person *p = choose(o, us);
    if (!p) {
        return wanted ? taken(c) : call_retry(c);
    }
    return openings_assign(c, o, p, us / 1000000, OPENINGS_FREE) ? taken(c) : OK;
}

enum err public_place(struct call *c, const char *service, const char *staff, const char *time)
{
    struct openings o;
    int64_t us;
    TRY(find_instant(c, time));
    TRY(clock_parse_pg(slice_of(call_get(c, "instant")->text), &us));
    TRY(load(c, &o, service, staff));
    const struct openings_person *p = choose(&o, us);
    if (!p) {
        return taken(c);
    }
    const char *who = arena_text(c->arena, slice_of(p->id));
    call_set(c, "to_service", service);
    call_set(c, "to_staff", who);
    call_set_int(c, "to_minutes", p->visit.length / 60);
    TRY(appointment_check_place(c, (struct appointment_ask){ 0 }));
    TRY(load(c, &o, service, who));
    return take_person(c, &o, us, staff != NULL);
}
